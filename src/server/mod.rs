//! The HTTP face: `POST /rerank`, `POST /v1/rerank`, `GET /health`, static files.
//!
//! A request passes the key check (`auth`), is read (`body`), waits its
//! turn (`queue`) and is answered (`rerank`); whatever goes wrong on the way
//! becomes one form of error (`error`). The listener and the signal to stop are
//! arguments of [`run`], so a caller decides on both.

mod auth;
mod body;
mod error;
mod page;
mod queue;
mod rerank;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use crate::Reranker;
use queue::Queue;

/// How long requests may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How many of the largest bodies there may be at a time; a request takes a few times its body's size.
const BODIES: usize = 8;

/// How long to wait before accepting again when that fails, as it does without free file handles.
const BREATH: Duration = Duration::from_millis(200);

/// How to serve.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Names that requests may use for the model besides its own.
    pub aliases: Vec<String>,
    /// The key that requests must carry; `None` serves anyone.
    pub api_key: Option<String>,
    /// A folder with a page to serve beside the API.
    pub page: Option<PathBuf>,
    /// How many requests may wait while one runs; more get status 429.
    pub queue: usize,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// Most connections at a time; more wait to be accepted.
    pub connections: usize,
    /// How long a client may take for a request's headers, for the next part of its body, and for
    /// the next part of its answer.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            aliases: Vec::new(),
            api_key: None,
            page: None,
            queue: 32,
            body_limit: 32 << 20,
            // Half of the file handles that a process usually gets.
            connections: 512,
            patience: Duration::from_secs(30),
        }
    }
}

/// What handlers share.
struct Served {
    reranker: Arc<Reranker>,
    options: Options,
    queue: Queue,
    /// A permit for each byte that the bodies of all requests may take together.
    room: Arc<Semaphore>,
}

/// Serves on `listener` until `shutdown` is done, then lets running requests
/// finish, for ten seconds at most.
///
/// Axum's own loop has no deadlines and no limit, so that idle connections could take all file handles.
pub async fn run(
    listener: TcpListener,
    reranker: Arc<Reranker>,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let Options { connections, patience, .. } = options;
    let service = TowerToHyperService::new(router(reranker, options));
    let places = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
    let open = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience);
    let mut shutdown = pin!(shutdown);
    let next = async || {
        let place = places.clone().acquire_owned().await.expect("it is never closed: bug");
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return (place, stream),
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    };
    loop {
        let (place, stream) = tokio::select! {
            accepted = next() => accepted,
            () = &mut shutdown => break,
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(patience));
        let serving = http.serve_connection(TokioIo::new(Box::pin(stream)), service.clone());
        let serving = open.watch(serving);
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = serving.await {
                tracing::debug!("a connection broke off: {error}");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, open.shutdown()).await.is_err() {
        tracing::warn!("connections still open after {} s are closed", GRACE.as_secs());
    }
}

fn router(reranker: Arc<Reranker>, options: Options) -> Router {
    let page = options.page.as_deref().map(page::page);
    let queue = Queue::new(options.queue);
    let room = options.body_limit.saturating_mul(BODIES).min(Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(room));
    let served = Arc::new(Served { reranker, options, queue, room });
    let router = Router::new()
        .route("/rerank", post(rerank::documented))
        .route("/v1/rerank", post(rerank::v1))
        .route_layer(from_fn_with_state(served.clone(), auth::check))
        .route("/health", get(health))
        .method_not_allowed_fallback(error::method_not_allowed);
    match page {
        Some(page) => router.fallback_service(page),
        None => router.fallback(error::not_found),
    }
    .layer(map_response(without_sniffing))
    .layer(CatchPanicLayer::custom(error::panicked))
    .layer(TraceLayer::new_for_http())
    .with_state(served)
}

async fn health() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

async fn without_sniffing(mut response: Response) -> Response {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

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
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use crate::Reranker;
use queue::Queue;

/// How long requests may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);

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
}

impl Default for Options {
    fn default() -> Self {
        Self { aliases: Vec::new(), api_key: None, page: None, queue: 32, body_limit: 32 << 20 }
    }
}

/// What handlers share.
struct Served {
    reranker: Arc<Reranker>,
    options: Options,
    queue: Queue,
}

/// Serves on `listener` until `shutdown` is done, then lets running requests
/// finish, for ten seconds at most.
///
/// # Errors
/// If the listener fails.
pub async fn run(
    listener: TcpListener,
    reranker: Arc<Reranker>,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let serving = axum::serve(listener, router(reranker, options));
    let serving = serving.with_graceful_shutdown(async move {
        shutdown.await;
        let _ = tell.send(());
    });
    let out_of_patience = async {
        let _ = told.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = serving.into_future() => result,
        () = out_of_patience => {
            tracing::warn!("connections still open after {} s are closed", GRACE.as_secs());
            Ok(())
        }
    }
}

fn router(reranker: Arc<Reranker>, options: Options) -> Router {
    let page = options.page.as_deref().map(page::page);
    let queue = Queue::new(options.queue);
    let served = Arc::new(Served { reranker, options, queue });
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

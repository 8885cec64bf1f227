//! Accepting connections, each with its deadlines, until the signal to stop.
//!
//! Ours, because axum's own loop has no deadlines and no limit, so that idle connections could
//! take all file handles.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

use super::options::Options;
use super::router::router;
use crate::Reranker;

/// How long to wait before accepting again when that fails, as it does without free file handles.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Serves on `listener` until `shutdown` is done, then lets running requests finish, for
/// [`Options::shutdown_grace`] at most.
pub async fn run(
    listener: TcpListener,
    reranker: Reranker,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let Options { connections, io_timeout, shutdown_grace, .. } = options;
    let service = TowerToHyperService::new(router(reranker, options));
    let permits = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
    let open = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(io_timeout);
    let mut shutdown = pin!(shutdown);
    loop {
        let (permit, stream) = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            () = &mut shutdown => break,
        };
        let mut stream = TimeoutStream::new(stream);
        // tower_http has no deadline for answers that are not read.
        stream.set_write_timeout(Some(io_timeout));
        let serving = http.serve_connection(TokioIo::new(Box::pin(stream)), service.clone());
        let serving = open.watch(serving);
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = serving.await {
                tracing::debug!("a connection broke off: {error}");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(shutdown_grace, open.shutdown()).await.is_err() {
        tracing::warn!("connections still open after {shutdown_grace:?} are closed");
    }
}

/// Waits for a free permit and the next connection.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream) {
    let permit = permits.clone().acquire_owned().await.expect("it is never closed: bug");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (permit, stream),
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

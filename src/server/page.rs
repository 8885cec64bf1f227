//! Static files with the headers that a page with threads in WebAssembly needs.

use std::path::Path;

use axum::Router;
use axum::handler::HandlerWithoutStateExt;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use super::error::not_found;

/// The page may run WebAssembly and its own workers, and may fetch a model
/// from any https address or from this machine; nothing else leaves it.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self'; \
    connect-src 'self' https: http://localhost:* http://127.0.0.1:* blob: data:; \
    img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// Headers of every file; the first two let the page share memory between its workers.
const HEADERS: [(HeaderName, &str); 5] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (CONTENT_SECURITY_POLICY, POLICY),
    // Kept, but asked for anew each time, which `Last-Modified` makes cheap.
    (CACHE_CONTROL, "no-cache"),
];

/// Serves the files of `folder`; what is not there gets the API's 404.
pub(super) fn page(folder: &Path) -> Router {
    let files = ServeDir::new(folder)
        .call_fallback_on_method_not_allowed(true)
        .fallback(not_found.into_service());
    HEADERS.into_iter().fold(Router::new().fallback_service(files), |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value)))
    })
}

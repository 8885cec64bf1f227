//! The routes, and the layers around them.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, request};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_http::trace::TraceLayer;

use super::app_state::AppState;
use super::options::Options;
use super::rerank::{self, WARNING};
use super::{auth, error, page};
use crate::Reranker;

/// The routes and the page, if there is one.
pub(super) fn router(reranker: Reranker, options: Options) -> Router {
    let page = options.page.as_deref().map(page::page);
    let (cors, io_timeout) = (cors(&options.cors_origins), options.io_timeout);
    let state = Arc::new(AppState::new(reranker, options));
    let router = Router::new()
        .route("/rerank", post(rerank::documented))
        .route("/v1/rerank", post(rerank::v1))
        .route_layer(from_fn_with_state(state.clone(), auth::check))
        .route("/health", get(health))
        .method_not_allowed_fallback(error::method_not_allowed);
    let router = match page {
        Some(page) => router.fallback_service(page),
        None => router.fallback(error::not_found),
    };
    // From the inside to the outside.
    router
        .layer(RequestBodyTimeoutLayer::new(io_timeout))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(cors)
        .layer(CompressionLayer::new().compress_when(is_compressible()))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .with_state(state)
}

async fn health() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

/// What is worth compressing. Not model files, which gain little: without their length, which
/// compression drops, a page cannot show how far a download has come.
fn is_compressible() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/octet-stream"))
}

/// Lets pages of the given origins use the API from browsers. Without any, no header is added.
fn cors(origins: &[String]) -> CorsLayer {
    let layer = CorsLayer::new();
    if origins.is_empty() {
        return layer;
    }
    let allowed: Vec<String> = origins.to_vec();
    let is_allowed = move |origin: &HeaderValue, _: &request::Parts| {
        allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    };
    layer
        .allow_origin(match origins.iter().any(|origin| origin == "*") {
            true => AllowOrigin::from(Any),
            false => AllowOrigin::predicate(is_allowed),
        })
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([WARNING, RETRY_AFTER])
}

/// What log lines of a request begin with. Not its query, in which some clients send their key.
fn span(request: &Request) -> tracing::Span {
    tracing::debug_span!("request", method = %request.method(), path = request.uri().path())
}

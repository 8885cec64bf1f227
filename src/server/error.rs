//! Errors as clients see them: `{"error": {code, message, type, param}}`.

use axum::Json;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Error;

/// An answer that is an error. Its message says nothing of the server's own state.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    /// The stable word in `error.type`.
    kind: &'static str,
    message: String,
    /// The request field at fault.
    param: Option<String>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), param: None }
    }

    /// A fault of the server's own; what happened goes to the log.
    pub(super) fn internal() -> Self {
        let message = "the server failed to answer this request; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    pub(super) fn busy() -> Self {
        let message = "too many requests are waiting; try again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::InvalidValue { .. } => StatusCode::BAD_REQUEST,
            Error::InvalidShape { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Error::UnknownModel { .. } => StatusCode::NOT_FOUND,
            Error::Aborted => StatusCode::SERVICE_UNAVAILABLE,
            // Its text names a document and no more.
            Error::NotFinite { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            _ => {
                tracing::error!("{error}");
                return Self::internal();
            }
        };
        let param = error.field().map(str::to_string);
        Self { status, kind: error.kind(), message: error.to_string(), param }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"error": {
            "code": self.status.as_u16(),
            "message": self.message,
            "type": self.kind,
            "param": self.param,
        }});
        let mut response = (self.status, Json(body)).into_response();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let scheme = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            }
            StatusCode::TOO_MANY_REQUESTS => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// The answer for a path that is no route.
pub(super) async fn not_found(uri: Uri) -> ApiError {
    let message = format!("{} is not a route; POST /rerank or /v1/rerank", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
}

/// The answer for a route asked with another method; axum adds `Allow`.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// The answer when a handler panicked; the panic itself is on stderr.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::internal().into_response()
}

//! JSON request bodies, each failure with its status.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tower_http::timeout::TimeoutError;

use super::app_state::AppState;
use super::body_budget::BodyPermit;
use super::error::ApiError;
use crate::api::{MAX_DOCUMENTS, json};

/// A body read as JSON.
pub(super) struct JsonBody {
    pub(super) value: Value,
    /// Its bytes' share of the body budget.
    pub(super) permit: BodyPermit,
}

impl FromRequest<Arc<AppState>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<AppState>) -> Result<Self, ApiError> {
        let refused = |message| {
            ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
        };
        if !is_json(request.headers()) {
            return Err(refused("the body must be JSON, with Content-Type: application/json"));
        }
        if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(refused("the body must not be compressed: send no Content-Encoding"));
        }
        let (bytes, permit) = read(request.into_body(), state).await?;
        if count_structure(&bytes) > MAX_STRUCTURE {
            let message = format!(
                "the body has more than {MAX_STRUCTURE} brackets and commas outside of texts; a request holds at most {MAX_DOCUMENTS} documents"
            );
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_value", message));
        }
        let value = json::read(bytes).map_err(|error| {
            let message = format!("the body is not valid JSON: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", message)
        })?;
        Ok(Self { value, permit })
    }
}

/// `application/json` or any `application/…+json`, in UTF-8 if it says.
///
/// No type at all is refused too: a foreign web page can send that, but not
/// JSON, without the browser asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let value = value.to_ascii_lowercase();
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let json = essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    let charset = parts.find_map(|part| part.strip_prefix("charset="));
    json && charset.is_none_or(|name| matches!(name.trim_matches('"'), "utf-8" | "utf8"))
}

/// Most brackets and commas of a body: many times those of a request with the
/// most documents. A parsed value takes a hundred times the bytes of `{},`.
const MAX_STRUCTURE: usize = 200_000;

/// Counts the brackets and commas that stand outside of texts.
fn count_structure(json: &[u8]) -> usize {
    let (mut in_text, mut escaped, mut count) = (false, false, 0);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' | b',' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

/// Most bytes behind the limit that are still read.
const MAX_DROPPED_BYTES: usize = 64 << 20;

/// Reads a body within the limit of the options and within the body budget.
///
/// What is over them is read and dropped, up to [`MAX_DROPPED_BYTES`]: a client that still writes
/// when the connection closes never sees the answer. Ours for that, and for the budget:
/// tower_http's limit stops reading at once.
async fn read(mut body: Body, state: &AppState) -> Result<(Vec<u8>, BodyPermit), ApiError> {
    let limit = state.options.body_limit;
    let (mut bytes, mut permit, mut busy) = (Vec::new(), BodyPermit::default(), false);
    let mut length = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| broken_body(&error, state))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit.saturating_add(MAX_DROPPED_BYTES) {
            break;
        }
        busy = busy || length <= limit && !state.body_budget.try_reserve(data.len(), &mut permit);
        if busy || length > limit {
            (bytes, permit) = (Vec::new(), BodyPermit::default());
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    if length > limit {
        let message = format!("the body is over the limit of {limit} bytes");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message));
    }
    if busy { Err(ApiError::busy()) } else { Ok((bytes, permit)) }
}

/// The answer to a body that stalled or broke off.
fn broken_body(error: &axum::Error, state: &AppState) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(link) = cause {
        if link.is::<TimeoutError>() {
            let seconds = state.options.io_timeout.as_secs_f64();
            let message = format!("nothing more of the body came for {seconds} s");
            return ApiError::new(StatusCode::REQUEST_TIMEOUT, "invalid_body", message);
        }
        cause = link.source();
    }
    let message = format!("the body broke off: {error}");
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", message)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn structure_is_counted_outside_of_texts() {
        assert_eq!(count_structure(br#"{"a,[{": ["b", "\",[", 1]}"#), 4);
        assert_eq!(count_structure(b"[[[,,,"), 6);
    }

    #[test]
    fn json_is_known_by_its_type() {
        let is_json = |value: &str| {
            is_json(&HeaderMap::from_iter([(
                CONTENT_TYPE,
                HeaderValue::from_str(value).expect("a header value"),
            )]))
        };
        assert!(is_json("application/json"));
        assert!(is_json("Application/JSON; charset=\"UTF-8\""));
        assert!(is_json("application/vnd.api+json;charset=utf-8"));
        assert!(!is_json("text/json"));
        assert!(!is_json("application/json; charset=utf-16"));
        assert!(!super::is_json(&HeaderMap::new()));
    }
}

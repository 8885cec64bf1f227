//! JSON request bodies, each failure with its status.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::error::ApiError;
use super::{Options, Served};
use crate::api::MAX_DOCUMENTS;

/// A body read as JSON.
pub(super) struct JsonBody {
    pub(super) value: Value,
    /// Its bytes' share of what all requests may take together.
    pub(super) held: Held,
}

/// A share of [`Served::room`].
pub(super) type Held = Option<OwnedSemaphorePermit>;

impl FromRequest<Arc<Served>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, served: &Arc<Served>) -> Result<Self, ApiError> {
        let refused = |message| {
            ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
        };
        if !is_json(request.headers()) {
            return Err(refused("the body must be JSON, with Content-Type: application/json"));
        }
        if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(refused("the body must not be compressed: send no Content-Encoding"));
        }
        let (bytes, held) = read(request.into_body(), served).await?;
        if structure(&bytes) > MOST_STRUCTURE {
            let message = format!(
                "the body has more than {MOST_STRUCTURE} brackets and commas outside of texts; a request holds at most {MAX_DOCUMENTS} documents"
            );
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_value", message));
        }
        let json = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let value = serde_json::from_slice(json).map_err(|error| {
            let message = format!("the body is not valid JSON: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", message)
        })?;
        Ok(Self { value, held })
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
const MOST_STRUCTURE: usize = 200_000;

/// Counts the brackets and commas that stand outside of texts.
fn structure(json: &[u8]) -> usize {
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

/// How much of a body over the limit is still read.
const DROPPED: usize = 64 << 20;

/// Reads a body within the limits of the options and of the room that all requests share.
///
/// What is over them is read and dropped, up to [`DROPPED`]: a client that
/// still writes when the connection closes never sees the answer.
async fn read(mut body: Body, served: &Served) -> Result<(Vec<u8>, Held), ApiError> {
    let Options { body_limit: limit, patience, .. } = served.options;
    let (mut bytes, mut held, mut busy) = (Vec::new(), Held::None, false);
    let mut length = 0;
    loop {
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let next = tokio::time::timeout(patience, next).await.map_err(|_| {
            let message = format!("nothing more of the body came for {} s", patience.as_secs());
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "invalid_body", message)
        })?;
        let Some(frame) = next else { break };
        let frame = frame.map_err(|error| {
            let message = format!("the body broke off: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", message)
        })?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit.saturating_add(DROPPED) {
            break;
        }
        busy = busy || length <= limit && !served.take(data.len(), &mut held);
        if busy || length > limit {
            (bytes, held) = (Vec::new(), None);
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    if length > limit {
        let message = format!("the body is over the limit of {limit} bytes");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message));
    }
    if busy { Err(ApiError::busy()) } else { Ok((bytes, held)) }
}

impl Served {
    /// Adds `bytes` to what is held of the room, if there is so much left.
    fn take(&self, bytes: usize, held: &mut Held) -> bool {
        let Ok(count) = u32::try_from(bytes) else { return false };
        let Ok(more) = self.room.clone().try_acquire_many_owned(count) else { return false };
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn structure_is_counted_outside_of_texts() {
        assert_eq!(structure(br#"{"a,[{": ["b", "\",[", 1]}"#), 4);
        assert_eq!(structure(b"[[[,,,"), 6);
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

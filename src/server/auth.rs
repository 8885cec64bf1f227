//! The API key.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::app_state::AppState;
use super::error::ApiError;

/// Lets a request pass if no key is set or if it carries the key, as
/// `Authorization: Bearer KEY` or, as some clients write it, `Authorization: KEY`.
pub(super) async fn check(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(key) = &state.options.api_key else { return Ok(next.run(request).await) };
    let unauthorized = |message| ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
    let Some(value) = request.headers().get(AUTHORIZATION) else {
        return Err(unauthorized("the API key is missing; send Authorization: Bearer KEY"));
    };
    let given = without_scheme(value.as_bytes());
    // Constant time, so that answer times don't spell out the key.
    if bool::from(given.ct_eq(key.as_bytes())) {
        Ok(next.run(request).await)
    } else {
        Err(unauthorized("the API key is wrong"))
    }
}

fn without_scheme(value: &[u8]) -> &[u8] {
    match value.split_at_checked("Bearer ".len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"Bearer ") => key.trim_ascii(),
        _ => value.trim_ascii(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_scheme;

    #[test]
    fn the_key_is_found_with_and_without_its_scheme() {
        for value in ["Bearer k-1", "bearer  k-1 ", "k-1"] {
            assert_eq!(without_scheme(value.as_bytes()), b"k-1");
        }
        assert_eq!(without_scheme(b"Bearer"), b"Bearer");
    }
}

//! The rerank routes: one request type, an answer in each route's form.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{AppendHeaders, IntoResponse};

use super::app_state::AppState;
use super::body::JsonBody;
use super::error::ApiError;
use super::queue::Stop;
use crate::api::dialect::{DocumentedResponse, V1Response, answer_id};
use crate::{Error, Ranking, RerankRequest, Reranker};

/// Carries a sentence for each thing that the caller should know of, so that
/// the answer keeps its documented keys.
pub(super) const WARNING: HeaderName = HeaderName::from_static("x-rerank-warning");

/// Most warnings that an answer carries; clients bound the size of headers.
const MAX_WARNINGS: usize = 20;

/// `POST /rerank`.
pub(super) async fn documented(
    State(state): State<Arc<AppState>>,
    JsonBody { value, permit: _permit }: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let request = state.read(&value)?;
    let ranking = state.rank(request.clone()).await?;
    Ok((warnings(&ranking), Json(DocumentedResponse::new(&ranking, &request))))
}

/// `POST /v1/rerank`.
pub(super) async fn v1(
    State(state): State<Arc<AppState>>,
    JsonBody { value, permit: _permit }: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let request = state.read(&value)?;
    let ranking = state.rank(request.clone()).await?;
    Ok((warnings(&ranking), Json(V1Response::new(answer_id(), &ranking, &request))))
}

fn warnings(ranking: &Ranking) -> AppendHeaders<Vec<(HeaderName, HeaderValue)>> {
    let first = ranking.warnings.iter().take(MAX_WARNINGS);
    let mut headers: Vec<_> =
        first.map(|warning| (WARNING, header_value(&warning.to_string()))).collect();
    let more = ranking.warnings.len() - headers.len();
    if more > 0 {
        headers.push((WARNING, header_value(&format!("and {more} more"))));
    }
    AppendHeaders(headers)
}

/// A sentence as a header may hold it: names of a request's fields may have any characters.
fn header_value(text: &str) -> HeaderValue {
    let escape = |c: char| match c {
        ' '..='~' => c.to_string(),
        other => other.escape_default().to_string(),
    };
    let text: String = text.chars().map(escape).collect();
    HeaderValue::from_str(&text).expect("printable ASCII is a header value: bug")
}

impl AppState {
    fn read(&self, body: &serde_json::Value) -> Result<Arc<RerankRequest>, Error> {
        let request = RerankRequest::from_json(body)?;
        self.check_model(&request)?;
        Ok(Arc::new(request))
    }

    /// Waits for the model and ranks.
    async fn rank(&self, request: Arc<RerankRequest>) -> Result<Ranking, ApiError> {
        let reranker = self.reranker.clone();
        let work = move |stop: &Stop| rank_until(&reranker, request, stop);
        Ok(self.queue.run(work).await??)
    }
}

/// Ranks until `stop` is set, so that a client that left does not hold up the others.
fn rank_until(
    reranker: &Reranker,
    request: Arc<RerankRequest>,
    stop: &Stop,
) -> Result<Ranking, Error> {
    reranker.rerank_with(request, |_| match stop.is_set() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    })
}

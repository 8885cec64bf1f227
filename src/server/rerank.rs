//! The rerank routes: one request type, an answer in each route's form.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{AppendHeaders, IntoResponse};

use super::Served;
use super::body::JsonBody;
use super::error::ApiError;
use super::queue::Stop;
use crate::api::dialect::{Documented, V1, answer_id};
use crate::{Error, Ranking, RerankRequest, Reranker};

/// Carries a sentence for each thing that the caller should know of, so that
/// the answer keeps its documented keys.
const WARNING: HeaderName = HeaderName::from_static("x-rerank-warning");

/// Most warnings that an answer carries; clients bound the size of headers.
const MOST_WARNINGS: usize = 20;

/// `POST /rerank`.
pub(super) async fn documented(
    State(served): State<Arc<Served>>,
    JsonBody { value, held: _held }: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let request = served.read(&value)?;
    let ranking = served.rank(request.clone()).await?;
    let answer = Documented::new(&ranking, &request.query, &request.documents);
    Ok((warnings(&ranking), Json(answer)))
}

/// `POST /v1/rerank`.
pub(super) async fn v1(
    State(served): State<Arc<Served>>,
    JsonBody { value, held: _held }: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let request = served.read(&value)?;
    let ranking = served.rank(request.clone()).await?;
    let RerankRequest { documents, return_documents, .. } = &*request;
    let answer = V1::new(answer_id(), &ranking, documents, *return_documents);
    Ok((warnings(&ranking), Json(answer)))
}

fn warnings(ranking: &Ranking) -> AppendHeaders<Vec<(HeaderName, HeaderValue)>> {
    let value = |text: String| HeaderValue::from_str(&text).expect("warnings are ASCII: bug");
    let shown = ranking.warnings.iter().take(MOST_WARNINGS);
    let mut headers: Vec<_> = shown.map(|warning| (WARNING, value(warning.to_string()))).collect();
    let more = ranking.warnings.len() - headers.len();
    if more > 0 {
        headers.push((WARNING, value(format!("and {more} more"))));
    }
    AppendHeaders(headers)
}

impl Served {
    fn read(&self, body: &serde_json::Value) -> Result<Arc<RerankRequest>, Error> {
        let request = RerankRequest::from_json(body)?;
        let mut names = vec![self.reranker.info().name.as_str()];
        for alias in &self.options.aliases {
            if !names.contains(&alias.as_str()) {
                names.push(alias);
            }
        }
        request.check_model(&names)?;
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

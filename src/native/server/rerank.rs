//! The rerank routes: one request type, an answer in each route's form.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Served;
use super::body::JsonBody;
use super::error::ApiError;
use super::queue::Stop;
use crate::native::answer_id;
use crate::wire::{Documented, V1};
use crate::{Error, Ranking, RerankRequest, Reranker};

/// `POST /rerank`.
pub(super) async fn documented(
    State(served): State<Arc<Served>>,
    JsonBody(body): JsonBody,
) -> Result<Json<Documented>, ApiError> {
    let request = served.read(&body)?;
    let (request, ranking) = served.rank(request).await?;
    Ok(Json(Documented::new(&ranking, &request.query, &request.documents)))
}

/// `POST /v1/rerank`.
pub(super) async fn v1(
    State(served): State<Arc<Served>>,
    JsonBody(body): JsonBody,
) -> Result<Json<V1>, ApiError> {
    let request = served.read(&body)?;
    let (request, ranking) = served.rank(request).await?;
    let RerankRequest { documents, return_documents, .. } = &request;
    Ok(Json(V1::new(answer_id(), &ranking, documents, *return_documents)))
}

impl Served {
    fn read(&self, body: &serde_json::Value) -> Result<RerankRequest, Error> {
        let request = RerankRequest::from_json(body)?;
        if let Some(asked) = &request.model {
            self.check_name(asked)?;
        }
        Ok(request)
    }

    /// Any of the model's names will do, in any case, with or without the
    /// `owner/` that clients put before it.
    fn check_name(&self, asked: &str) -> Result<(), Error> {
        let mut names = vec![self.reranker.info().name.as_str()];
        for alias in &self.options.aliases {
            if !names.contains(&alias.as_str()) {
                names.push(alias);
            }
        }
        if names.iter().any(|name| last_part(name).eq_ignore_ascii_case(last_part(asked))) {
            return Ok(());
        }
        Err(Error::UnknownModel { asked: asked.to_string(), loaded: names.join(", ") })
    }

    /// Waits for the model and ranks; the request comes back with its answer.
    async fn rank(&self, request: RerankRequest) -> Result<(RerankRequest, Ranking), ApiError> {
        let reranker = self.reranker.clone();
        let work = move |stop: &Stop| {
            let ranking = rank_until(&reranker, &request, stop)?;
            Ok::<_, Error>((request, ranking))
        };
        let (request, ranking) = self.queue.run(work).await??;
        for warning in &ranking.warnings {
            tracing::warn!("{warning}");
        }
        Ok((request, ranking))
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name).trim()
}

/// Ranks step by step, so that a client that left does not hold up the others.
fn rank_until(reranker: &Reranker, request: &RerankRequest, stop: &Stop) -> Result<Ranking, Error> {
    let mut job = reranker.start(request)?;
    loop {
        if stop.is_set() {
            return Err(Error::Aborted);
        }
        if job.step(reranker)?.is_none() {
            return job.finish(reranker);
        }
    }
}

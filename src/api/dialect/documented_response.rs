//! The documented form: `{model, query, results: [{document, score}]}`.

use serde::Serialize;

use crate::api::ranking::{Ranked, Ranking};
use crate::api::request::RerankRequest;

/// The documented answer: `{model, query, results: [{document, score}]}`, best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DocumentedResponse {
    /// Name of the model that scored.
    pub model: String,
    /// The query as it came.
    pub query: String,
    /// Documents with their scores, best first, `top_n` of them at most.
    pub results: Vec<DocumentedResult>,
}

/// One document and its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DocumentedResult {
    /// The document's text as it was scored.
    pub document: String,
    /// Probability of "yes" against "no", 0 to 1; the margin if the request asked for raw scores.
    pub score: f64,
}

impl DocumentedResponse {
    /// Writes the ranking of `request`.
    ///
    /// # Panics
    /// If the ranking is of a request with more documents.
    pub fn new(ranking: &Ranking, request: &RerankRequest) -> Self {
        let result = |ranked: &Ranked| DocumentedResult {
            document: request.documents[ranked.index].clone(),
            score: ranked.score.written(request.raw_scores),
        };
        Self {
            model: ranking.model.clone(),
            query: request.query.clone(),
            results: ranking.results.iter().map(result).collect(),
        }
    }
}

//! The form of `/v1/rerank`, which Cohere's, Jina's and OpenRouter's clients read.

use serde::Serialize;

use crate::api::ranking::{Ranked, Ranking};
use crate::api::request::RerankRequest;

/// The answer of `/v1/rerank`, which Cohere's, Jina's and OpenRouter's clients read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct V1Response {
    /// A name for this answer, unlike any other of this server.
    pub id: String,
    /// Name of the model that scored.
    pub model: String,
    /// Results, best first, `top_n` of them at most.
    pub results: Vec<V1Result>,
    /// What the request cost.
    pub usage: V1Usage,
}

/// One result of [`V1Response`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct V1Result {
    /// Index into the request's documents.
    pub index: usize,
    /// Probability of "yes" against "no", 0 to 1; the margin if the request asked for raw scores.
    pub relevance_score: f64,
    /// The document, unless `return_documents` was false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<V1Document>,
}

/// A document in a [`V1Result`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct V1Document {
    /// The document's text as it was scored.
    pub text: String,
}

/// Tokens that the prompts of a request have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct V1Usage {
    /// Tokens of all prompts, each counted whole.
    pub prompt_tokens: usize,
    /// The same: a reranker generates none.
    pub total_tokens: usize,
}

impl V1Response {
    /// Writes the ranking of `request`, with the documents' texts unless it asked for none.
    ///
    /// # Panics
    /// If the ranking is of a request with more documents.
    pub fn new(id: String, ranking: &Ranking, request: &RerankRequest) -> Self {
        let result = |ranked: &Ranked| V1Result {
            index: ranked.index,
            relevance_score: ranked.score.written(request.raw_scores),
            document: request
                .return_documents
                .then(|| V1Document { text: request.documents[ranked.index].clone() }),
        };
        let tokens = ranking.usage.prompt_tokens;
        Self {
            id,
            model: ranking.model.clone(),
            results: ranking.results.iter().map(result).collect(),
            usage: V1Usage { prompt_tokens: tokens, total_tokens: tokens },
        }
    }
}

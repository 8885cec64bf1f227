//! The form of `/v1/rerank`, which Cohere's, Jina's and OpenRouter's clients read.

use serde::Serialize;

use crate::api::{Ranked, Ranking};

/// The answer of `/v1/rerank`, which Cohere's, Jina's and OpenRouter's clients read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct V1 {
    /// A name for this answer, unlike any other of this server.
    pub id: String,
    /// Name of the model that scored.
    pub model: String,
    /// Results, best first, `top_n` of them at most.
    pub results: Vec<V1Result>,
    /// What the request cost.
    pub usage: V1Usage,
}

/// One result of [`V1`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct V1Result {
    /// The document's place in the request.
    pub index: usize,
    /// Probability of "yes" against "no", 0 to 1.
    pub relevance_score: f64,
    /// The document, unless `return_documents` was false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<V1Document>,
}

/// A document in a [`V1Result`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct V1Document {
    /// The document's text as it came.
    pub text: String,
}

/// Tokens that the prompts of a request have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct V1Usage {
    /// Tokens of all prompts, each counted whole.
    pub prompt_tokens: usize,
    /// The same: a reranker generates none.
    pub total_tokens: usize,
}

impl V1 {
    /// Writes `ranking` of `documents`, which must be those of its request,
    /// with their texts where `return_documents`.
    pub fn new(
        id: String,
        ranking: &Ranking,
        documents: &[String],
        return_documents: bool,
    ) -> Self {
        let result = |ranked: &Ranked| V1Result {
            index: ranked.index,
            relevance_score: ranked.score.probability,
            document: return_documents
                .then(|| V1Document { text: documents[ranked.index].clone() }),
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

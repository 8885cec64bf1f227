//! The documented form: `{model, query, results: [{document, score}]}`.

use serde::Serialize;

use crate::api::{Ranked, Ranking};

/// The documented answer: `{model, query, results: [{document, score}]}`, best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Documented {
    /// Name of the model that scored.
    pub model: String,
    /// The query as it came.
    pub query: String,
    /// Documents with their scores, best first, `top_n` of them at most.
    pub results: Vec<DocumentedResult>,
}

/// One document and its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DocumentedResult {
    /// The document's text as it came.
    pub document: String,
    /// Probability of "yes" against "no", 0 to 1.
    pub score: f64,
}

impl Documented {
    /// Writes `ranking` of `documents`, which must be those of its request.
    pub fn new(ranking: &Ranking, query: &str, documents: &[String]) -> Self {
        let result = |ranked: &Ranked| DocumentedResult {
            document: documents[ranked.index].clone(),
            score: ranked.score.probability,
        };
        Self {
            model: ranking.model.clone(),
            query: query.to_string(),
            results: ranking.results.iter().map(result).collect(),
        }
    }
}

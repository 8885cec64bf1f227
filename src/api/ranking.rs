//! A request's result before it takes a form.

use serde::Serialize;

use super::score::Score;
use super::warning::Warning;

/// A request's result, from which a [`dialect`](super::dialect) writes the answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ranking {
    /// Name of the model that scored.
    pub model: String,
    /// Best first, ties in the order of the request, at most `top_n`.
    pub results: Vec<Ranked>,
    /// What the request cost.
    pub usage: Usage,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
}

/// A document's place in the request, and its score.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ranked {
    /// Index into the request's documents.
    pub index: usize,
    /// Its score.
    pub score: Score,
}

/// Token counts of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of all prompts, each counted whole.
    pub prompt_tokens: usize,
    /// Tokens that went through the model: the shared prefix once, unless it was there from a
    /// request before, and equal documents once.
    pub evaluated_tokens: usize,
}

//! A request's answer before it takes a form, and what its caller should know of.

use serde::Serialize;

use super::score::Score;

/// A request's answer, before it takes a wire form.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ranking {
    /// Name of the model that scored.
    pub model: String,
    /// Best first, ties in the order of the request, at most `top_n`.
    pub results: Vec<Ranked>,
    /// What the request cost.
    pub usage: Usage,
    /// What the caller should know of.
    pub warnings: Vec<Warning>,
}

/// A document's place in the request, and its score.
#[derive(Clone, Copy, Debug)]
pub struct Ranked {
    /// Index into the request's documents.
    pub index: usize,
    /// Its score.
    pub score: Score,
}

/// Token counts of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens of all prompts, each counted whole.
    pub prompt_tokens: usize,
    /// Tokens that went through the model: the shared prefix once, unless it was there from a
    /// request before, and equal documents once.
    pub evaluated_tokens: usize,
}

/// Something that did not stop a request, but that its caller should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The end of a document was cut off.
    Truncated {
        /// Index into the request's documents.
        index: usize,
        /// Tokens that the prompt kept, frame included.
        tokens: usize,
    },
    /// A text already carries the template's markers, so it would be put into
    /// the template twice, which flattens scores.
    AlreadyTemplated {
        /// `query` or `documents[i]`; only the first document is named.
        field: String,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { index, tokens } => {
                write!(f, "documents[{index}] was cut to fit; its prompt has {tokens} tokens")
            }
            Self::AlreadyTemplated { field } => write!(
                f,
                "{field} already carries the prompt template; give plain text, or set templated"
            ),
        }
    }
}

//! What a request's caller should know, though it did not stop the request.

use serde::Serialize;

/// Something that did not stop a request, but that its caller should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The end of a document was cut off.
    Truncated {
        /// Index into the request's documents.
        index: usize,
        /// Tokens that the prompt kept, template included.
        tokens: usize,
    },
    /// A text already carries the template's markers, so it would be put into
    /// the template twice, which flattens scores.
    AlreadyTemplated {
        /// `query` or `documents[i]`; only the first document is named.
        field: String,
    },
    /// A field that bears on scores or results was read but has no effect here.
    Unused {
        /// The field as the caller wrote it; of documents, only the first is named.
        field: String,
        /// Why, or what to do.
        advice: String,
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
            Self::Unused { field, advice } => write!(f, "{field} is not used; {advice}"),
        }
    }
}

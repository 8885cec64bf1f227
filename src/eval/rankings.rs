//! Orders of documents.

/// For each query, documents by their index in the corpus, best first.
pub(crate) type Rankings = Vec<Vec<usize>>;

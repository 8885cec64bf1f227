//! How well a model orders what BM25 finds, on a folder in BEIR's form.

pub(crate) mod candidates;
pub(crate) mod dataset;
pub mod metrics;
pub(crate) mod report;
pub(crate) mod runs;

/// For each query, documents by their index in the corpus, best first.
pub(crate) type Rankings = Vec<Vec<usize>>;

//! From a request to its ranking: a loaded model and the requests under way on it.
//!
//! `reranker` holds the model, `job` is one request under way, `batch` packs its
//! documents, `prefix_cache` keeps keys and values between requests, `ranking`
//! orders the scores.

pub(crate) mod batch;
mod job;
mod prefix_cache;
mod reranker;

pub use job::{Job, Progress};
pub use reranker::{Diagnostics, LoadOptions, Reranker};

//! From a request to its ranking: a loaded model and the requests under way on it.
//!
//! [`Reranker`] holds the model, [`Job`] is one request under way, `batch` packs its prompts,
//! `prefix_cache` keeps keys and values from request to request, `ranking` orders the scores.

pub(crate) mod batch;
mod job;
mod job_prompts;
mod loaded;
mod options;
mod prefix_cache;
mod ranking;
mod reranker;

pub use job::{Job, JobStep, Progress};
pub use options::{Diagnostics, LoadOptions};
pub use reranker::Reranker;

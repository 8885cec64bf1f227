//! How well a model orders what BM25 finds, on a folder in BEIR's form.

pub(crate) mod candidates;
pub(crate) mod dataset;
pub(crate) mod eval_report;
pub(crate) mod items;
mod judgements;
pub mod metrics;
pub(crate) mod rankings;

//! Facts about a loaded model.

use std::collections::BTreeMap;

use serde::Serialize;

use super::config::Config;
use super::head::Head;

/// What a file holds and how it is used.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The model's name in answers.
    pub name: String,
    /// Sizes and constants.
    #[serde(flatten)]
    pub config: Config,
    /// Rows of the embedding.
    pub vocabulary_size: usize,
    /// Longest prompt that is scored whole, in tokens, template included.
    pub max_length: usize,
    /// Where the rows for yes and no come from.
    pub head: Head,
    /// Number of tensors by type.
    pub types: BTreeMap<String, usize>,
    /// Values in all tensors.
    pub parameters: u64,
    /// Size of the file in bytes.
    pub file_size: u64,
    /// What was found amiss in the file and put right.
    pub warnings: Vec<String>,
}

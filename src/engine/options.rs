//! How to load a model, and what is to be known of a loaded one.

use std::collections::BTreeMap;

use serde::Serialize;

/// How to load a model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The model's name in answers; `None` takes `general.name` of the file.
    pub name: Option<String>,
    /// Longest prompt in tokens, template included: 8192 as in the reference, or
    /// the file's context length if that is shorter.
    pub max_length: usize,
    /// Documents are laid end to end up to this many tokens a pass, which bounds the memory that a
    /// request takes, whatever their number. A longer one has a pass to itself.
    pub batch_tokens: usize,
    /// Most bytes of keys and values that a request keeps for the prefix that its prompts share
    /// (template, instruction, query). Tokens beyond are computed again with every document: slower,
    /// with the same scores. 256 MiB by default, about 1,170 tokens of the 0.6B shape.
    pub max_prefix_bytes: usize,
    /// Most bytes of keys and values that are kept from request to request. 48 MiB by default, about
    /// 220 tokens of the 0.6B shape: with what a pass takes beside it, a program stays within 64 MiB
    /// over 1.25 times its file, unless a query is longer.
    pub prefix_cache_bytes: usize,
    /// Whether embedding models (`qwen3.pooling_type` 1, 2 or 3) are loaded too. Their scores mean
    /// nothing, unless somebody has trained one to rerank without changing that key.
    pub any_pooling: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            name: None,
            max_length: 8192,
            batch_tokens: 512,
            max_prefix_bytes: 256 << 20,
            prefix_cache_bytes: 48 << 20,
            any_pooling: false,
        }
    }
}

impl LoadOptions {
    /// Bytes that requests need beside the weights: keys and values of their prefixes, and a
    /// forward pass with the vocabulary.
    pub(super) fn reserve_bytes(&self) -> u64 {
        const PASS: u64 = 128 << 20;
        let prefixes = self.max_prefix_bytes.saturating_add(self.prefix_cache_bytes) as u64;
        prefixes.saturating_add(PASS)
    }
}

/// What a model runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostics {
    /// The instruction set that the kernels use.
    pub backend: &'static str,
    /// Threads that share the work.
    pub threads: usize,
    /// What multiplies the matrices, by type.
    pub paths: BTreeMap<String, &'static str>,
}

//! All that requests on one model share.

use super::options::LoadOptions;
use super::prefix_cache::PrefixCache;
use crate::model::{Model, ModelInfo};
use crate::prompt::template::Template;
use crate::prompt::tokenizer::Tokenizer;

/// A loaded model with its tokenizer and caches.
pub struct Loaded {
    pub model: Model,
    pub tokenizer: Tokenizer,
    pub info: ModelInfo,
    pub options: LoadOptions,
    pub template: Template,
    pub prefix_cache: PrefixCache,
}

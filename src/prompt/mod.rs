//! Text to ids: the official template, the tokenizer, and a request's prompts.

pub(crate) mod encode;
pub mod template;
pub mod tokenizer;

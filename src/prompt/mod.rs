//! Text to ids: the prompt template, the tokenizer, and a request's prompts.

pub(crate) mod encode;
pub(crate) mod prompts;
pub mod template;
#[cfg(test)]
mod tests;
mod text;
pub mod tokenizer;

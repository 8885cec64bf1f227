//! The default model, carried in the program.

/// A small reranker for English, as a whole GGUF file; `models/README.md` says
/// what it can and what it cannot do.
pub static EMBEDDED_MODEL: &[u8] = include_bytes!("../../models/qwen3-rerank-nano-q8_0.gguf");

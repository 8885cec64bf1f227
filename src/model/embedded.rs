//! The default model, carried in the program; `build.rs` says which file that is.

/// The model that the program carries, as a whole GGUF file: in a checkout the small
/// English reranker of `models/README.md`, or the file that the environment variable
/// `QWEN3_RERANK_EMBED` named when this was built. `None` without the
/// feature `embedded-model`, and where the crate was built from its registry package, which
/// holds no model, without that variable.
pub static EMBEDDED_MODEL: Option<&[u8]> = FILE;

#[cfg(has_embedded_model)]
const FILE: Option<&[u8]> = Some(include_bytes!(env!("QWEN3_RERANK_EMBEDDED_FILE")));

#[cfg(not(has_embedded_model))]
const FILE: Option<&[u8]> = None;

//! Writes model files: from checkpoints and other GGUF files (`quantize`), and random ones (`random`).
//!
//! `source` shows a checkpoint folder (`checkpoint`) and a GGUF file alike, `vocabulary` turns
//! tokenizers into metadata, `file_type` says which type each tensor gets,
//! `chunked_writer` converts tensors in chunks, `partial_file` lets a file appear when it is whole.

mod architecture;
mod checkpoint;
mod chunked_writer;
mod file_type;
mod json;
pub(crate) mod partial_file;
pub(crate) mod progress;
pub mod quantize;
pub mod random;
mod random_weights;
mod source;
mod vocabulary;

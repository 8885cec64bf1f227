//! Writes model files: from checkpoints and other GGUF files (`quantize`), and random ones (`random`).
//!
//! `source` shows a checkpoint folder (`checkpoint`, `config_json`) and a GGUF file alike, `vocabulary`
//! turns tokenizers into metadata, `rerank_metadata` is what makes a file a rerank file, `file_type`
//! says which type each tensor gets, `chunked_writer` converts tensors in chunks, `random_weights`
//! draws values, `partial_file` lets a file appear when it is whole.

mod checkpoint;
mod chunked_writer;
mod config_json;
mod file_type;
mod json;
pub(crate) mod partial_file;
pub mod quantize;
pub mod random;
mod random_weights;
mod rerank_metadata;
mod source;
mod vocabulary;

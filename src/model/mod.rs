//! A dense Qwen3 model that scores: embedding, layers, scoring head.
//!
//! `config` holds sizes and constants (read by `config_metadata`, with `rope_scaling`;
//! `metadata_keys` refuses what else would change scores), `pooling` tells rerankers from embedding
//! models, `tensors` is the table of tensors, `weights` reads them, `head` chooses the scoring rows.
//! [`Model`] holds what is computed on the host, `cpu` the layers. [`ForwardPass`] carries a [`Batch`]
//! through them, whose segments each name the [`KvPrefix`] that they follow.

mod batch;
pub(crate) mod config;
pub(crate) mod config_fault;
mod config_metadata;
mod cpu;
mod embedded;
mod embedding;
mod forward_pass;
pub(crate) mod head;
mod info;
mod kv_prefix;
mod metadata_keys;
pub(crate) mod pooling;
mod qwen3;
pub(crate) mod rope_scaling;
pub(crate) mod tensors;
pub(crate) mod weights;

pub use batch::Batch;
pub use config::Config;
#[cfg(test)]
pub use cpu::kv::LayerKeysValues;
pub use embedded::EMBEDDED_MODEL;
#[cfg(feature = "native")]
pub use embedding::check_vocabulary;
pub use forward_pass::{ForwardPass, PassStep};
pub use head::Head;
pub use info::ModelInfo;
pub use kv_prefix::{KvPrefix, PrefixHit};
pub use qwen3::Model;
pub use rope_scaling::RopeScaling;
pub use weights::LoadProgress;

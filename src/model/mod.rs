//! A dense Qwen3 model that scores: embedding, layers, two output rows.
//!
//! `config` reads sizes, `weights` reads tensors, `head` chooses the output rows. [`Model`] holds
//! what is computed on the host, `cpu` the layers. [`ForwardPass`] carries a [`Batch`] through them,
//! whose segments each name the [`KvPrefix`] that they stand behind.

mod batch;
mod config;
mod cpu;
mod embedded;
mod embedding;
mod forward_pass;
mod head;
mod info;
mod kv_prefix;
mod qwen3;
mod weights;

pub use batch::Batch;
pub use config::Config;
#[cfg(test)]
pub use cpu::kv::LayerKeysValues;
pub use embedded::EMBEDDED_MODEL;
#[cfg(feature = "native")]
pub use embedding::check_vocabulary;
pub use forward_pass::{ForwardPass, PassStep};
pub use head::Head;
#[cfg(feature = "native")]
pub use head::Rows;
pub use info::ModelInfo;
pub use kv_prefix::{KvPrefix, PrefixHit};
pub use qwen3::Model;
pub use weights::LoadProgress;
#[cfg(feature = "native")]
pub(crate) use {
    config::MAX_LAYERS,
    head::{CLASSIFIER, EMBEDDING, OUTPUT},
    weights::layer_shapes,
};

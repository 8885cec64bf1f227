//! Sizes and constants of a Qwen3 model, read from metadata and checked.

use serde::Serialize;

use crate::gguf::Metadata;
use crate::kernel::AttentionShape;
use crate::{Error, Result};

/// More layers than this are taken for corruption; the largest dense Qwen3 has 64.
pub(crate) const MAX_LAYERS: usize = 1024;

/// The shape of a dense Qwen3 model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Transformer layers.
    pub layers: usize,
    /// Values of a token between layers.
    pub hidden_size: usize,
    /// Values of a token inside the feed-forward part.
    pub ffn_size: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, each shared by `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Values in a head; need not be `hidden_size / heads`.
    pub head_dim: usize,
    /// Longest sequence that the model was made for, in tokens.
    pub context_length: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Added under the root in RMS norms.
    pub rms_norm_eps: f64,
}

impl Config {
    /// Reads and checks the `qwen3.*` keys.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] for another architecture,
    /// [`Error::InvalidModel`] for missing or impossible values.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        match metadata.text("general.architecture")? {
            Some("qwen3") => {}
            Some(other) => {
                let reason = format!("its architecture is {other:?}; dense \"qwen3\" is read");
                return Err(Error::UnsupportedModel(reason));
            }
            None => return Err(Error::model("general.architecture", "the key is missing")),
        }
        let heads = count(metadata, "qwen3.attention.head_count")?;
        let hidden_size = count(metadata, "qwen3.embedding_length")?;
        let config = Self {
            layers: count(metadata, "qwen3.block_count")?,
            hidden_size,
            ffn_size: count(metadata, "qwen3.feed_forward_length")?,
            heads,
            kv_heads: count(metadata, "qwen3.attention.head_count_kv")?,
            head_dim: match metadata.count("qwen3.attention.key_length")? {
                Some(length) => length,
                None => hidden_size / heads,
            },
            context_length: count(metadata, "qwen3.context_length")?,
            rope_theta: number(metadata, "qwen3.rope.freq_base")?,
            rms_norm_eps: number(metadata, "qwen3.attention.layer_norm_rms_epsilon")?,
        };
        config.check(metadata)?;
        Ok(config)
    }

    /// How attention is split.
    pub fn heads(&self) -> AttentionShape {
        AttentionShape { heads: self.heads, kv_heads: self.kv_heads, head_dim: self.head_dim }
    }

    /// Values in a token's queries.
    pub fn query_size(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Values in a token's keys, and in its values.
    pub fn kv_size(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    fn check(&self, metadata: &Metadata) -> Result<()> {
        let require = |holds: bool, key: &str, reason: String| {
            if holds { Ok(()) } else { Err(Error::model(key, reason)) }
        };
        let Self { layers, heads, kv_heads, head_dim, rms_norm_eps, rope_theta, .. } = *self;
        require(
            layers <= MAX_LAYERS,
            "qwen3.block_count",
            format!("is {layers}; at most {MAX_LAYERS}"),
        )?;
        require(
            heads.is_multiple_of(kv_heads),
            "qwen3.attention.head_count_kv",
            format!("is {kv_heads}, which does not divide the {heads} heads"),
        )?;
        require(
            head_dim > 0 && head_dim.is_multiple_of(2) && head_dim <= 1 << 16,
            "qwen3.attention.key_length",
            format!("is {head_dim}; must be even and at least 2"),
        )?;
        require(
            heads <= 1 << 16,
            "qwen3.attention.head_count",
            format!("is {heads}; at most {}", 1 << 16),
        )?;
        if let Some(length) = metadata.count("qwen3.attention.value_length")? {
            let reason = format!("is {length}, unlike the key length {head_dim}");
            require(length == head_dim, "qwen3.attention.value_length", reason)?;
        }
        require(
            rms_norm_eps > 0.0 && rms_norm_eps < 1.0,
            "qwen3.attention.layer_norm_rms_epsilon",
            format!("is {rms_norm_eps}; must lie between 0 and 1"),
        )?;
        require(
            rope_theta > 1.0,
            "qwen3.rope.freq_base",
            format!("is {rope_theta}; must be above 1"),
        )?;
        // llama.cpp takes a factor without a type for a linear one, and reads its older key too.
        let scaling = metadata.text("qwen3.rope.scaling.type")?.unwrap_or("linear");
        let older = metadata.number("qwen3.rope.scale_linear")?;
        let factor = metadata.number("qwen3.rope.scaling.factor")?.or(older).unwrap_or(1.0);
        if scaling != "none" && factor != 1.0 {
            let reason = format!("its rope is scaled ({scaling}, factor {factor})");
            return Err(Error::UnsupportedModel(reason));
        }
        Ok(())
    }
}

/// A count of at least 1 that must be there.
fn count(metadata: &Metadata, key: &str) -> Result<usize> {
    match metadata.count(key)? {
        Some(0) => Err(Error::model(key, "is 0; must be at least 1")),
        Some(count) => Ok(count),
        None => Err(Error::model(key, "the key is missing")),
    }
}

fn number(metadata: &Metadata, key: &str) -> Result<f64> {
    metadata.number(key)?.ok_or_else(|| Error::model(key, "the key is missing"))
}

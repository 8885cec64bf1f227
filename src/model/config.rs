//! Sizes and constants of a dense Qwen3 model, under the names of the checkpoint's config.json, and
//! the one check of what they can be.

use serde::Serialize;

use super::config_fault::ConfigFault;
use super::rope_scaling::RopeScaling;
use crate::kernel::{AttentionShape, RopeFrequencies};

/// The shape of a dense Qwen3 model; the vocabulary is apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Config {
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Values of a token between layers.
    pub hidden_size: usize,
    /// Values of a token inside the feed-forward part.
    pub intermediate_size: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads, which share them.
    pub num_key_value_heads: usize,
    /// Values in a head; need not be `hidden_size / num_attention_heads`.
    pub head_dim: usize,
    /// Longest sequence that the model was made for, in tokens.
    pub max_position_embeddings: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies are scaled for longer sequences, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeScaling>,
    /// Added under the root in RMS norms.
    pub rms_norm_eps: f64,
    /// Whether the output matrix is the embedding, or left out of the file.
    pub tie_word_embeddings: bool,
}

/// The counts of a [`Config`], and the most that each can be. More is taken for corruption; the
/// largest dense Qwen3 has 64 layers and 5,120 values.
const LIMITS: [(&str, usize); 7] = [
    ("num_hidden_layers", 1 << 10),
    ("max_position_embeddings", 1 << 30),
    ("hidden_size", 1 << 20),
    ("intermediate_size", 1 << 20),
    ("num_attention_heads", 1 << 16),
    ("num_key_value_heads", 1 << 16),
    ("head_dim", 1 << 16),
];

impl Config {
    /// How attention is split.
    pub(crate) fn heads(&self) -> AttentionShape {
        let Self { num_attention_heads: heads, num_key_value_heads: kv_heads, head_dim, .. } =
            *self;
        AttentionShape { heads, kv_heads, head_dim }
    }

    /// The rotary frequencies.
    pub(crate) fn rope_frequencies(&self) -> RopeFrequencies {
        match &self.rope_scaling {
            None => RopeFrequencies::new(self.head_dim, self.rope_theta),
            Some(scaling) => scaling.frequencies(self.head_dim, self.rope_theta),
        }
    }

    /// Values in a token's queries.
    pub fn query_size(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Values in a token's keys, and in its values.
    pub fn kv_size(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// One of the counts, by its name.
    pub(super) fn count(&self, field: &str) -> usize {
        match field {
            "num_hidden_layers" => self.num_hidden_layers,
            "max_position_embeddings" => self.max_position_embeddings,
            "hidden_size" => self.hidden_size,
            "intermediate_size" => self.intermediate_size,
            "num_attention_heads" => self.num_attention_heads,
            "num_key_value_heads" => self.num_key_value_heads,
            "head_dim" => self.head_dim,
            _ => unreachable!("{field} is no count: bug"),
        }
    }

    /// Fails for what no model can have, wherever the config came from.
    pub(crate) fn check(&self) -> std::result::Result<(), ConfigFault> {
        let fault = |field, reason| Err(ConfigFault { field, reason });
        for (field, most) in LIMITS {
            let count = self.count(field);
            if !(1..=most).contains(&count) {
                return fault(field, format!("is {count}; must be from 1 to {most}"));
            }
        }
        let (heads, kv_heads) = (self.num_attention_heads, self.num_key_value_heads);
        if !heads.is_multiple_of(kv_heads) {
            let reason = format!("is {kv_heads}, which does not divide the {heads} heads");
            return fault("num_key_value_heads", reason);
        }
        if !self.head_dim.is_multiple_of(2) {
            return fault("head_dim", format!("is {}; must be even", self.head_dim));
        }
        if !(self.rms_norm_eps > 0.0 && self.rms_norm_eps < 1.0) {
            let reason = format!("is {}; must lie between 0 and 1", self.rms_norm_eps);
            return fault("rms_norm_eps", reason);
        }
        if !(self.rope_theta > 1.0 && self.rope_theta.is_finite()) {
            return fault("rope_theta", format!("is {}; must be above 1", self.rope_theta));
        }
        match &self.rope_scaling {
            Some(scaling) => scaling.check(),
            None => Ok(()),
        }
    }
}

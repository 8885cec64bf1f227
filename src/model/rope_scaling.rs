//! Scaled rotary frequencies, by which a model takes longer sequences than it was trained on:
//! linear scaling and YaRN, as config.json and GGUF files describe them.

use serde::Serialize;

use super::config_fault::ConfigFault;
use crate::gguf::Metadata;
#[cfg(feature = "native")]
use crate::gguf::Value;
use crate::kernel::{RopeFrequencies, Yarn};
use crate::{Error, Result};

/// How rotary frequencies are scaled.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "rope_type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RopeScaling {
    /// All frequencies divided by one factor.
    Linear {
        /// The factor; above 1.
        factor: f64,
    },
    /// YaRN (Peng et al., 2023): low frequencies divided, high ones kept, scores sharpened.
    Yarn {
        /// By how much low frequencies are divided; above 1.
        factor: f64,
        /// Longest sequence of the training before, in tokens.
        original_max_position_embeddings: usize,
        /// Factor to sines and cosines; 0.1 · ln(factor) + 1 unless stated.
        attention_factor: f64,
        /// Frequencies of at least so many turns in the original length are kept.
        beta_fast: f64,
        /// Frequencies of at most so many turns are divided.
        beta_slow: f64,
    },
}

/// YaRN's bounds where a file states none.
pub(crate) const BETA_FAST: f64 = 32.0;
/// See [`BETA_FAST`].
pub(crate) const BETA_SLOW: f64 = 1.0;

const TYPE: &str = "qwen3.rope.scaling.type";
const FACTOR: &str = "qwen3.rope.scaling.factor";
/// llama.cpp's older key for a linear factor.
const SCALE_LINEAR: &str = "qwen3.rope.scale_linear";
const ORIGINAL: &str = "qwen3.rope.scaling.original_context_length";
const ATTENTION: &str = "qwen3.rope.scaling.attn_factor";
const FAST: &str = "qwen3.rope.scaling.yarn_beta_fast";
const SLOW: &str = "qwen3.rope.scaling.yarn_beta_slow";

/// The factor to sines and cosines that YaRN's paper gives for a length `factor` times as long.
pub(crate) fn default_attention_factor(factor: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * libm::log(factor) + 1.0 }
}

impl RopeScaling {
    /// YaRN as its paper has it, for sequences `factor` times as long as `original` tokens.
    pub fn yarn(factor: f64, original: usize) -> Self {
        Self::Yarn {
            factor,
            original_max_position_embeddings: original,
            attention_factor: default_attention_factor(factor),
            beta_fast: BETA_FAST,
            beta_slow: BETA_SLOW,
        }
    }

    /// Whether it changes nothing.
    #[cfg(feature = "native")]
    pub(crate) fn is_none(&self) -> bool {
        match *self {
            Self::Linear { factor } => factor == 1.0,
            Self::Yarn { factor, attention_factor, .. } => factor == 1.0 && attention_factor == 1.0,
        }
    }

    /// What a file says; none if that changes no frequency.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] for other kinds of scaling, [`Error::InvalidModel`] for values
    /// of another type.
    pub(crate) fn from_metadata(
        metadata: &Metadata,
        context_length: usize,
    ) -> Result<Option<Self>> {
        // llama.cpp takes a factor without a type for a linear one.
        let kind = metadata.text(TYPE)?.unwrap_or("linear");
        let factor = match metadata.number(FACTOR)? {
            Some(factor) => factor,
            None => metadata.number(SCALE_LINEAR)?.unwrap_or(1.0),
        };
        // As in llama.cpp, this multiplies what YaRN itself gives.
        let gain = metadata.number(ATTENTION)?.unwrap_or(1.0);
        match kind {
            "none" => Ok(None),
            "linear" | "yarn" if factor == 1.0 && gain == 1.0 => Ok(None),
            "linear" if gain == 1.0 => Ok(Some(Self::Linear { factor })),
            "yarn" => Ok(Some(Self::Yarn {
                factor,
                original_max_position_embeddings: metadata
                    .count(ORIGINAL)?
                    .unwrap_or(context_length),
                attention_factor: default_attention_factor(factor) * gain,
                beta_fast: metadata.number(FAST)?.unwrap_or(BETA_FAST),
                beta_slow: metadata.number(SLOW)?.unwrap_or(BETA_SLOW),
            })),
            "linear" => {
                let reason = format!("{ATTENTION} is {gain} beside linear scaling; must be 1");
                Err(Error::UnsupportedModel(reason))
            }
            other => {
                let reason = format!("{TYPE} is {other:?}; none, linear and yarn are computed");
                Err(Error::UnsupportedModel(reason))
            }
        }
    }

    /// The keys that say so in a file.
    #[cfg(feature = "native")]
    pub(crate) fn to_metadata(&self) -> Vec<(&'static str, Value)> {
        let number = |value: f64| Value::F32(value as f32);
        let text = |text: &str| Value::String(text.to_string());
        match *self {
            Self::Linear { factor } => vec![(TYPE, text("linear")), (FACTOR, number(factor))],
            Self::Yarn {
                factor,
                original_max_position_embeddings,
                attention_factor,
                beta_fast,
                beta_slow,
            } => {
                let original = Value::U32(original_max_position_embeddings as u32);
                let mut entries =
                    vec![(TYPE, text("yarn")), (FACTOR, number(factor)), (ORIGINAL, original)];
                let gain = attention_factor / default_attention_factor(factor);
                let stated = [
                    (ATTENTION, gain, 1.0),
                    (FAST, beta_fast, BETA_FAST),
                    (SLOW, beta_slow, BETA_SLOW),
                ];
                let stated = stated.into_iter().filter(|(_, value, default)| value != default);
                entries.extend(stated.map(|(key, value, _)| (key, number(value))));
                entries
            }
        }
    }

    /// The frequencies of heads of `head_dim` values.
    pub(crate) fn frequencies(&self, head_dim: usize, theta: f64) -> RopeFrequencies {
        match *self {
            Self::Linear { factor } => RopeFrequencies::linear(head_dim, theta, factor),
            Self::Yarn {
                factor,
                original_max_position_embeddings: original_positions,
                attention_factor: gain,
                beta_fast,
                beta_slow,
            } => {
                let yarn = Yarn { factor, original_positions, beta_fast, beta_slow, gain };
                RopeFrequencies::yarn(head_dim, theta, &yarn)
            }
        }
    }

    /// Fails for values that no model can have.
    pub(crate) fn check(&self) -> std::result::Result<(), ConfigFault> {
        let require = |holds: bool, field, reason: String| match holds {
            true => Ok(()),
            false => Err(ConfigFault { field, reason }),
        };
        let (Self::Linear { factor } | Self::Yarn { factor, .. }) = *self;
        let most = 1e4;
        require(
            (1.0..=most).contains(&factor),
            "factor",
            format!("is {factor}; must lie between 1 and {most}"),
        )?;
        let Self::Yarn {
            original_max_position_embeddings: original,
            attention_factor,
            beta_fast,
            beta_slow,
            ..
        } = *self
        else {
            return Ok(());
        };
        require(
            (1..=1 << 30).contains(&original),
            "original_max_position_embeddings",
            format!("is {original}; must be from 1 to {}", 1 << 30),
        )?;
        require(
            attention_factor > 0.0 && attention_factor <= most,
            "attention_factor",
            format!("is {attention_factor}; must be above 0 and at most {most}"),
        )?;
        require(
            beta_slow > 0.0 && beta_fast >= beta_slow && beta_fast <= 1e9,
            "beta_fast",
            format!(
                "is {beta_fast}, and beta_slow is {beta_slow}; must be above 0, the fast one not less"
            ),
        )
    }
}

/// What GGUF files call a field of [`RopeScaling`].
pub(crate) fn key_of(field: &str) -> &str {
    match field {
        "factor" => FACTOR,
        "original_max_position_embeddings" => ORIGINAL,
        "attention_factor" => ATTENTION,
        "beta_fast" => FAST,
        "beta_slow" => SLOW,
        other => other,
    }
}

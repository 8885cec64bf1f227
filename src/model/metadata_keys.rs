//! Which `qwen3.*` keys a file may have. A key that bears on scores and is not computed here must
//! have the value that changes nothing; a key that is not known is refused, since it may bear on them.
//!
//! Keys: `LLM_KV_NAMES` in llama-arch.cpp of llama.cpp.

use super::config::Config;
use crate::gguf::Metadata;
use crate::{Error, Result};

/// Keys that [`Config`] or the scoring head are read from, or that say nothing about scores.
const READ: [&str; 22] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "classifier.output_labels",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "pooling_type",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "tensor_data_layout",
    "vocab_size",
];

/// The values of a key that change nothing.
enum Neutral {
    /// 0 means that the file does not have it.
    Zero,
    /// A factor of 1; llama.cpp takes 0 for "not stated".
    One,
    /// The number must be this.
    Number(f64),
    /// Zero, or this.
    ZeroOr(f64),
    /// Zero, or at least this.
    ZeroOrAtLeast(f64),
    /// The truth value must be this.
    Flag(bool),
    /// The text must be this.
    Text(&'static str),
}

/// What each key that bears on scores must be.
fn neutral(key: &str, config: &Config) -> Option<Neutral> {
    let head_dim = config.head_dim as f64;
    Some(match key {
        "attention.clamp_kqv"
        | "attention.max_alibi_bias"
        | "attention.shared_kv_layers"
        | "attention.temperature_length"
        | "attention.temperature_scale"
        | "attn_logit_softcapping"
        | "embedding_length_per_layer_input"
        | "expert_count"
        | "expert_used_count"
        | "final_logit_softcapping"
        | "leading_dense_block_count"
        | "n_deepstack_layers"
        | "nextn_predict_layers"
        | "rope.scaling.alpha"
        | "rope.scaling.yarn_log_multiplier" => Neutral::Zero,
        "attention.output_scale"
        | "attention.value_scale"
        | "embedding_scale"
        | "logit_scale"
        | "residual_scale"
        | "rope.scaling.yarn_attn_factor" => Neutral::One,
        "attention.causal" => Neutral::Flag(true),
        "use_parallel_residual" | "swin_norm" => Neutral::Flag(false),
        "hidden_activation" => Neutral::Text("silu"),
        "attention.key_length_mla"
        | "attention.key_length_swa"
        | "attention.value_length_mla"
        | "attention.value_length_swa"
        | "rope.dimension_count"
        | "rope.dimension_count_swa" => Neutral::ZeroOr(head_dim),
        "attention.layer_norm_epsilon" => Neutral::ZeroOr(config.rms_norm_eps),
        "attention.scale" => Neutral::ZeroOr(1.0 / head_dim.sqrt()),
        "attention.sliding_window" => Neutral::ZeroOrAtLeast(config.max_position_embeddings as f64),
        "embedding_length_out" => Neutral::Number(config.hidden_size as f64),
        "full_attention_interval" => Neutral::Number(1.0),
        "rope.freq_base_swa" => Neutral::Number(config.rope_theta),
        // How much of YaRN is computed; llama.cpp takes all of it where the type is yarn.
        "rope.scaling.yarn_ext_factor" => Neutral::Number(1.0),
        _ => return None,
    })
}

/// Fails for a key that would change scores.
///
/// # Errors
/// [`Error::UnsupportedModel`] naming the key, [`Error::InvalidModel`] if its value is of another type.
pub fn check(metadata: &Metadata, config: &Config) -> Result<()> {
    for key in metadata.0.keys() {
        let Some(name) = key.strip_prefix("qwen3.") else { continue };
        if READ.contains(&name) {
            continue;
        }
        let Some(neutral) = neutral(name, config) else {
            let reason = "is a key that is not known here, and that may change scores";
            return Err(Error::UnsupportedModel(format!("{key} {reason}")));
        };
        check_value(metadata, key, &neutral)?;
    }
    Ok(())
}

fn check_value(metadata: &Metadata, key: &str, neutral: &Neutral) -> Result<()> {
    let refuse = |found: String, expected: String| {
        let reason =
            format!("{key} is {found}; dense Qwen3 is computed, where it must be {expected}");
        Err(Error::UnsupportedModel(reason))
    };
    match *neutral {
        Neutral::Flag(expected) => match metadata.flag(key)? {
            Some(found) if found != expected => refuse(found.to_string(), expected.to_string()),
            _ => Ok(()),
        },
        Neutral::Text(expected) => match metadata.text(key)? {
            Some(found) if found != expected => refuse(format!("{found:?}"), expected.to_string()),
            _ => Ok(()),
        },
        _ => {
            let found = metadata.number(key)?.unwrap_or(0.0);
            match neutral.expected(found) {
                None => Ok(()),
                Some(expected) => refuse(found.to_string(), expected),
            }
        }
    }
}

impl Neutral {
    /// What a number must be, unless `found` is that. Files hold f32.
    fn expected(&self, found: f64) -> Option<String> {
        let is = |value: f64| (found - value).abs() <= value.abs() * 1e-6;
        match *self {
            Self::Zero => (found != 0.0).then(|| "0".to_string()),
            Self::One => (found != 0.0 && found != 1.0).then(|| "1".to_string()),
            Self::Number(value) => (!is(value)).then(|| value.to_string()),
            Self::ZeroOr(value) => (found != 0.0 && !is(value)).then(|| format!("0 or {value}")),
            Self::ZeroOrAtLeast(value) => {
                (found != 0.0 && found < value).then(|| format!("0 or at least {value}"))
            }
            Self::Flag(_) | Self::Text(_) => None,
        }
    }
}

//! A [`Config`] in GGUF metadata: the `qwen3.*` keys.

use super::config::Config;
use super::metadata_keys;
use super::rope_scaling::{self, RopeScaling};
use super::tensors::OUTPUT;
#[cfg(feature = "native")]
use crate::gguf::Value;
use crate::gguf::{Metadata, Reader};
use crate::{Error, Result};

/// The counts of a [`Config`] and their keys.
const COUNTS: [(&str, &str); 7] = [
    ("num_hidden_layers", "qwen3.block_count"),
    ("max_position_embeddings", "qwen3.context_length"),
    ("hidden_size", "qwen3.embedding_length"),
    ("intermediate_size", "qwen3.feed_forward_length"),
    ("num_attention_heads", "qwen3.attention.head_count"),
    ("num_key_value_heads", "qwen3.attention.head_count_kv"),
    ("head_dim", "qwen3.attention.key_length"),
];
const VALUE_LENGTH: &str = "qwen3.attention.value_length";
const RMS_NORM_EPS: (&str, &str) = ("rms_norm_eps", "qwen3.attention.layer_norm_rms_epsilon");
const ROPE_THETA: (&str, &str) = ("rope_theta", "qwen3.rope.freq_base");

impl Config {
    /// Reads and checks the `qwen3.*` keys of a file.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] for another architecture, and for keys that would change scores
    /// in a way that this crate does not compute; [`Error::InvalidModel`] for missing or
    /// impossible values.
    pub fn from_gguf<R>(reader: &Reader<R>) -> Result<Self> {
        Self::from_metadata(&reader.metadata, !reader.tensors.contains_key(OUTPUT))
    }

    /// As [`Config::from_gguf`], of metadata alone.
    pub(crate) fn from_metadata(metadata: &Metadata, tie_word_embeddings: bool) -> Result<Self> {
        check_architecture(metadata)?;
        let [layers, context, hidden, intermediate, heads, kv_heads, key_length] =
            COUNTS.map(|(_, key)| key);
        let num_attention_heads = count(metadata, heads)?;
        let hidden_size = count(metadata, hidden)?;
        let max_position_embeddings = count(metadata, context)?;
        let config = Self {
            num_hidden_layers: count(metadata, layers)?,
            hidden_size,
            intermediate_size: count(metadata, intermediate)?,
            num_attention_heads,
            num_key_value_heads: count(metadata, kv_heads)?,
            head_dim: match metadata.count(key_length)? {
                Some(length) => length,
                None => hidden_size.checked_div(num_attention_heads).unwrap_or(0),
            },
            max_position_embeddings,
            rope_theta: number(metadata, ROPE_THETA.1)?,
            rope_scaling: RopeScaling::from_metadata(metadata, max_position_embeddings)?,
            rms_norm_eps: number(metadata, RMS_NORM_EPS.1)?,
            tie_word_embeddings,
        };
        config.check().map_err(|fault| Error::model(key_of(fault.field), fault.reason))?;
        if let Some(length) = metadata.count(VALUE_LENGTH)?.filter(|&n| n != config.head_dim) {
            let reason = format!("is {length}, unlike the key length {}", config.head_dim);
            return Err(Error::model(VALUE_LENGTH, reason));
        }
        metadata_keys::check(metadata, &config)?;
        Ok(config)
    }

    /// The `general.*` and `qwen3.*` metadata of a file.
    #[cfg(feature = "native")]
    pub(crate) fn to_metadata(&self, name: &str, file_type: u32) -> Vec<(String, Value)> {
        let text = |text: &str| Value::String(text.to_string());
        let mut entries = vec![
            ("general.architecture", text("qwen3")),
            ("general.type", text("model")),
            ("general.name", text(name)),
            ("general.file_type", Value::U32(file_type)),
            ("general.quantization_version", Value::U32(2)),
        ];
        let count = |n: usize| Value::U32(n as u32);
        entries.extend(COUNTS.map(|(field, key)| (key, count(self.count(field)))));
        entries.extend([
            (VALUE_LENGTH, count(self.head_dim)),
            (RMS_NORM_EPS.1, Value::F32(self.rms_norm_eps as f32)),
            (ROPE_THETA.1, Value::F32(self.rope_theta as f32)),
        ]);
        entries.extend(self.rope_scaling.iter().flat_map(RopeScaling::to_metadata));
        entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
    }
}

/// What GGUF files call a field of [`Config`].
fn key_of(field: &str) -> &str {
    let mut keys = COUNTS.iter().chain([&RMS_NORM_EPS, &ROPE_THETA]);
    match keys.find(|(named, _)| *named == field) {
        Some((_, key)) => key,
        None => rope_scaling::key_of(field),
    }
}

fn check_architecture(metadata: &Metadata) -> Result<()> {
    match metadata.text("general.architecture")? {
        Some("qwen3") => Ok(()),
        Some(other) => {
            let reason = format!("its architecture is {other:?}; dense \"qwen3\" is read");
            Err(Error::UnsupportedModel(reason))
        }
        None => Err(Error::model("general.architecture", "the key is missing")),
    }
}

/// A count that must be there.
fn count(metadata: &Metadata, key: &str) -> Result<usize> {
    metadata.count(key)?.ok_or_else(|| Error::model(key, "the key is missing"))
}

fn number(metadata: &Metadata, key: &str) -> Result<f64> {
    metadata.number(key)?.ok_or_else(|| Error::model(key, "the key is missing"))
}

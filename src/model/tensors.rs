//! The one table of a dense Qwen3 model's tensors: GGUF name, checkpoint name, shape.

use super::config::Config;
use crate::gguf::TensorInfo;
use crate::{Error, Result};

/// The embedding, which is the output matrix too in a tied model.
pub const EMBEDDING: &str = "token_embd.weight";
/// The norm before the scoring head.
pub const OUTPUT_NORM: &str = "output_norm.weight";
/// The output matrix of an untied model.
pub const OUTPUT: &str = "output.weight";
/// The scoring head of a rerank conversion: a row for "yes" and one for "no", or one row.
pub const CLASSIFIER: &str = "cls.output.weight";
/// What a sequence-classification checkpoint calls [`CLASSIFIER`].
pub const CHECKPOINT_CLASSIFIER: &str = "score.weight";
/// Factors to rotary frequencies, of which Qwen3 has none: all must be 1.
pub const ROPE_FACTORS: &str = "rope_freqs.weight";

/// A size of a tensor, by what it counts.
#[derive(Clone, Copy)]
enum Size {
    Hidden,
    Intermediate,
    /// Values in a token's queries.
    Query,
    /// Values in a token's keys, or in its values.
    KeyValue,
    HeadDim,
}

impl Size {
    fn of(self, config: &Config) -> usize {
        match self {
            Self::Hidden => config.hidden_size,
            Self::Intermediate => config.intermediate_size,
            Self::Query => config.query_size(),
            Self::KeyValue => config.kv_size(),
            Self::HeadDim => config.head_dim,
        }
    }
}

/// The tensors of a layer, in the order of llama.cpp's files: name after `blk.N.`, name after
/// `model.layers.N.`, shape `[outputs, inputs]` or `[values]`.
const LAYER: [(&str, &str, &[Size]); 11] = [
    ("attn_norm", "input_layernorm", &[Size::Hidden]),
    ("attn_q", "self_attn.q_proj", &[Size::Query, Size::Hidden]),
    ("attn_k", "self_attn.k_proj", &[Size::KeyValue, Size::Hidden]),
    ("attn_v", "self_attn.v_proj", &[Size::KeyValue, Size::Hidden]),
    ("attn_output", "self_attn.o_proj", &[Size::Hidden, Size::Query]),
    ("attn_q_norm", "self_attn.q_norm", &[Size::HeadDim]),
    ("attn_k_norm", "self_attn.k_norm", &[Size::HeadDim]),
    ("ffn_norm", "post_attention_layernorm", &[Size::Hidden]),
    ("ffn_gate", "mlp.gate_proj", &[Size::Intermediate, Size::Hidden]),
    ("ffn_up", "mlp.up_proj", &[Size::Intermediate, Size::Hidden]),
    ("ffn_down", "mlp.down_proj", &[Size::Hidden, Size::Intermediate]),
];

/// Tensors outside of the layers, by their GGUF and their checkpoint names.
const OTHERS: [(&str, &str); 4] = [
    (EMBEDDING, "model.embed_tokens.weight"),
    (OUTPUT_NORM, "model.norm.weight"),
    (OUTPUT, "lm_head.weight"),
    (CLASSIFIER, CHECKPOINT_CLASSIFIER),
];

/// A tensor that a model must have.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Its name in GGUF files.
    pub name: String,
    /// Its sizes, `[rows, columns]` for a matrix.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Self { name: name.into(), shape: shape.to_vec() }
    }

    /// Fails unless a file's tensor has this shape.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] with both shapes.
    pub fn check(&self, info: &TensorInfo) -> Result<()> {
        match info.has_shape(&self.shape) {
            true => Ok(()),
            false => {
                let reason = format!("has shape {:?}; must be {:?}", info.dims, self.shape);
                Err(Error::model(&self.name, reason))
            }
        }
    }
}

/// The tensors of layer `index`, each with its part's name, such as `attn_q`.
pub fn layer(config: &Config, index: usize) -> [(&'static str, TensorSpec); LAYER.len()] {
    LAYER.map(|(part, _, sizes)| {
        let shape: Vec<_> = sizes.iter().map(|size| size.of(config)).collect();
        (part, TensorSpec::new(format!("blk.{index}.{part}.weight"), &shape))
    })
}

/// The norm before the scoring head.
pub fn output_norm(config: &Config) -> TensorSpec {
    TensorSpec::new(OUTPUT_NORM, &[config.hidden_size])
}

/// All tensors of a model with `rows` rows in its vocabulary, in the order of llama.cpp's files;
/// [`CLASSIFIER`], which is the scoring head's, aside.
#[cfg(feature = "native")]
pub fn all(config: &Config, rows: usize) -> Vec<TensorSpec> {
    let mut specs = vec![TensorSpec::new(EMBEDDING, &[rows, config.hidden_size])];
    for index in 0..config.num_hidden_layers {
        specs.extend(layer(config, index).map(|(_, spec)| spec));
    }
    specs.push(output_norm(config));
    if !config.tie_word_embeddings {
        specs.push(TensorSpec::new(OUTPUT, &[rows, config.hidden_size]));
    }
    specs
}

/// What the official checkpoints call the tensor that GGUF files call `name`, if they have it.
#[cfg(feature = "native")]
pub fn checkpoint_name(name: &str) -> Option<String> {
    if let Some((_, other)) = OTHERS.iter().find(|(gguf, _)| *gguf == name) {
        return Some(other.to_string());
    }
    let (layer, part) = layer_part(name)?;
    let (_, part, _) = LAYER.iter().find(|(each, ..)| *each == part)?;
    Some(format!("model.layers.{layer}.{part}.weight"))
}

/// `blk.7.attn_v.weight` is `(7, "attn_v")`.
pub fn layer_part(name: &str) -> Option<(usize, &str)> {
    let inner = name.strip_prefix("blk.")?.strip_suffix(".weight")?;
    let (layer, part) = inner.split_once('.')?;
    Some((layer.parse().ok()?, part))
}

/// Refuses tensors that the architecture does not have: leaving one out, such as
/// a bias, would give other scores without a word.
///
/// # Errors
/// [`Error::UnsupportedModel`] naming the tensor.
pub fn refuse_unknown<'a>(names: impl Iterator<Item = &'a String>, config: &Config) -> Result<()> {
    let is_known = |name: &str| match layer_part(name) {
        Some((layer, part)) => {
            layer < config.num_hidden_layers && LAYER.iter().any(|(each, ..)| *each == part)
        }
        None => name == ROPE_FACTORS || OTHERS.iter().any(|(each, _)| *each == name),
    };
    let mut names = names;
    match names.find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(unknown(name)),
    }
}

/// The error for a tensor that dense Qwen3 does not have.
pub fn unknown(name: &str) -> Error {
    let reason = match name {
        "cls.output.bias" | "score.bias" => "a scoring head with a bias is not computed",
        "cls.weight" | "cls.bias" | "cls.norm.weight" => {
            "a scoring head of several layers is not computed"
        }
        _ => "dense Qwen3 has no such tensor",
    };
    Error::UnsupportedModel(format!("{name}: {reason}"))
}

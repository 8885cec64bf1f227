//! The dense Qwen3 architecture as files describe it: dimensions, the metadata
//! of a rerank file, and every tensor under its GGUF and its checkpoint name.

use crate::gguf::Value;
use crate::model::{Config, layer_shapes};
use crate::prompt::template;

pub(crate) use crate::model::{CLASSIFIER as CLS, EMBEDDING, OUTPUT};

/// `enum llama_pooling_type` in llama.h: a rerank model.
const POOLING_RANK: u32 = 4;

/// The numbers that define a dense Qwen3 model, vocabulary apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture {
    /// Transformer layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width inside the feed-forward part.
    pub ffn: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head; need not be `hidden / heads`.
    pub head_dim: usize,
    /// Whether the embedding is the head too.
    pub tied: bool,
    /// Longest input in tokens.
    pub context: usize,
    /// Base of the rotary frequencies.
    pub rope_base: f32,
    /// Added to mean squares before roots are taken.
    pub norm_eps: f32,
}

/// A tensor of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Its name in GGUF files.
    pub name: String,
    /// Its sizes, `[rows, columns]` for a matrix.
    pub dims: Vec<usize>,
}

impl Architecture {
    /// The dimensions of a model that could be loaded.
    pub fn from_config(config: &Config, tied: bool) -> Self {
        Self {
            layers: config.layers,
            hidden: config.hidden_size,
            ffn: config.ffn_size,
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            tied,
            context: config.context_length,
            rope_base: config.rope_theta as f32,
            norm_eps: config.rms_norm_eps as f32,
        }
    }

    /// All tensors of a model with `rows` rows in its vocabulary, in the order
    /// of llama.cpp's files; `cls.output.weight`, which no checkpoint has, aside.
    pub fn weights(&self, rows: usize) -> Vec<Weight> {
        let weight = |name: &str, dims: &[usize]| Weight { name: name.into(), dims: dims.into() };
        let mut weights = vec![weight(EMBEDDING, &[rows, self.hidden])];
        for layer in 0..self.layers {
            for (part, dims) in self.layer() {
                weights.push(weight(&format!("blk.{layer}.{part}.weight"), &dims));
            }
        }
        weights.push(weight("output_norm.weight", &[self.hidden]));
        if !self.tied {
            weights.push(weight(OUTPUT, &[rows, self.hidden]));
        }
        weights
    }

    fn layer(&self) -> [(&'static str, Vec<usize>); 11] {
        let Self { hidden, ffn, heads, kv_heads, head_dim, .. } = *self;
        layer_shapes(hidden, ffn, heads * head_dim, kv_heads * head_dim, head_dim)
    }

    /// The `general.*` and `qwen3.*` metadata of a file.
    pub fn metadata(&self, name: &str, file_type: u32) -> Vec<(String, Value)> {
        let count = |n: usize| Value::U32(n as u32);
        let text = |text: &str| Value::String(text.to_string());
        [
            ("general.architecture", text("qwen3")),
            ("general.type", text("model")),
            ("general.name", text(name)),
            ("general.file_type", Value::U32(file_type)),
            ("general.quantization_version", Value::U32(2)),
            ("qwen3.block_count", count(self.layers)),
            ("qwen3.context_length", count(self.context)),
            ("qwen3.embedding_length", count(self.hidden)),
            ("qwen3.feed_forward_length", count(self.ffn)),
            ("qwen3.attention.head_count", count(self.heads)),
            ("qwen3.attention.head_count_kv", count(self.kv_heads)),
            ("qwen3.attention.key_length", count(self.head_dim)),
            ("qwen3.attention.value_length", count(self.head_dim)),
            ("qwen3.attention.layer_norm_rms_epsilon", Value::F32(self.norm_eps)),
            ("qwen3.rope.freq_base", Value::F32(self.rope_base)),
        ]
        .map(|(key, value)| (key.to_string(), value))
        .into()
    }
}

/// The parts of a layer by their GGUF and their checkpoint names.
const PARTS: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// What the official checkpoints call the tensor that GGUF files call `name`,
/// if they have it.
pub fn checkpoint_name(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".weight")?;
    let renamed = match stem {
        "token_embd" => "model.embed_tokens".to_string(),
        "output_norm" => "model.norm".to_string(),
        "output" => "lm_head".to_string(),
        _ => {
            let (layer, part) = stem.strip_prefix("blk.")?.split_once('.')?;
            let (_, part) = PARTS.iter().find(|(each, _)| *each == part)?;
            format!("model.layers.{layer}.{part}")
        }
    };
    Some(format!("{renamed}.weight"))
}

/// The metadata that makes a model file a rerank file for llama.cpp.
pub fn rerank_metadata() -> Vec<(String, Value)> {
    let texts = |texts: &[&str]| {
        Value::Array(texts.iter().map(|text| Value::String(text.to_string())).collect())
    };
    let content =
        template::head(template::DEFAULT_INSTRUCTION, "{query}") + &template::tail("{document}");
    let template = format!("{}{content}{}", template::PREFIX, template::SUFFIX);
    vec![
        ("qwen3.pooling_type".into(), Value::U32(POOLING_RANK)),
        ("qwen3.classifier.output_labels".into(), texts(&[template::YES, template::NO])),
        ("tokenizer.chat_templates".into(), texts(&["rerank"])),
        ("tokenizer.chat_template.rerank".into(), Value::String(template)),
    ]
}

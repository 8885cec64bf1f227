//! Everything broken that a user may hand in, and the error that each must
//! give: files, requests, arguments. None may end in a panic.

use std::fs;
use std::panic::catch_unwind;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use proptest::prelude::*;
use qwen3_rerank::gguf::Value;
use qwen3_rerank::server::Options;
use qwen3_rerank::{Ranking, RerankRequest, Result};
use serde_json::json;

use crate::model::{self, Parts, header_length};
use crate::serving::Serving;

/// A broken file: what is wrong, the file, the error's kind, what its text must say.
type File = (&'static str, fn() -> Vec<u8>, &'static str, &'static str);

#[rustfmt::skip]
const FILES: &[File] = &[
    // Not a model.
    ("empty file", Vec::new, "invalid_model", "byte 0: the file is empty"),
    ("text", || b"Paris is the capital of France.".into(), "invalid_model", "not a GGUF file: it does not start with the letters GGUF"),
    ("web page", || b"<!DOCTYPE html><title>404</title>".into(), "invalid_model", "byte 0: not a GGUF file but a web page"),
    ("Git LFS pointer", || b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".into(), "invalid_model", "byte 0: not a GGUF file but a Git LFS pointer, which only stands for the file: fetch it with `git lfs pull`"),
    ("gzip file", || [b"\x1f\x8b\x08", model::bytes()].concat(), "invalid_model", "byte 0: not a GGUF file but a gzip archive: unpack it first"),
    ("JSON", || b"{\"error\": \"Entry not found\"}".into(), "invalid_model", "byte 0: not a GGUF file but JSON"),
    ("safetensors", || b"\x02\0\0\0\0\0\0\0{}".into(), "invalid_model", "byte 0: not a GGUF file but a safetensors file: make a GGUF file of its folder"),
    ("older format", || patched(0, b"GGJT"), "invalid_model", "byte 0: not a GGUF file but of a format older than GGUF"),
    ("magic alone", || b"GGUF".into(), "invalid_model", "byte 4: claims 4 bytes, but only 0 bytes follow"),
    ("version 1", || patched(4, &1u32.to_le_bytes()), "unsupported_model", "GGUF version 1; 2 and 3 are read"),
    ("version 4", || patched(4, &4u32.to_le_bytes()), "unsupported_model", "GGUF version 4"),
    ("version 0", || patched(4, &0u32.to_le_bytes()), "unsupported_model", "GGUF version 0"),
    ("big-endian", || patched(4, &3u32.to_be_bytes()), "unsupported_model", "big-endian"),
    // Cut off.
    ("cut in the counts", || cut(20), "invalid_model", "byte 16: claims 8 bytes, but only 4 bytes follow"),
    ("cut in metadata", || cut(header() / 2), "invalid_model", "the file is truncated"),
    ("cut in tensor entries", || cut(header() - 64), "invalid_model", "the file is truncated"),
    ("cut in tensor data", || cut(model::bytes().len() - 4000), "invalid_model", "lie past the end of the file"),
    // Numbers that cannot be.
    ("endless tensors", || patched(8, &[255; 8]), "invalid_model", "claims 18446744073709551615 tensors"),
    ("many tensors", || patched(8, &1_000_000u64.to_le_bytes()), "invalid_model", "claims 1000000 tensors"),
    ("endless metadata", || patched(16, &[255; 8]), "invalid_model", "claims 18446744073709551615 metadata entries"),
    ("endless key", || patched(24, &[255; 8]), "invalid_model", "bytes of text, but only"),
    ("endless array", || raw_value(9, &[&8u32.to_le_bytes()[..], &[255; 8]].concat()), "invalid_model", "claims 18446744073709551615 array items"),
    ("arrays in arrays", || raw_value(9, &nested(1000)), "invalid_model", "arrays are nested too deeply"),
    ("unknown value type", || raw_value(99, &[]), "invalid_model", "unknown metadata type 99"),
    ("key that is not UTF-8", || patched(33, b"\xff"), "invalid_model", "a text is not UTF-8"),
    ("architecture that is not UTF-8", || set("general.architecture", Value::Bytes(b"qwen\xff".into())), "invalid_model", "general.architecture: must be a string, but the file holds a string that is not UTF-8"),
    ("token that is not UTF-8", || parts(|p| p.items("tokenizer.ggml.tokens")[300] = Value::Bytes(vec![0xff])), "invalid_model", "tokenizer.ggml.tokens: must be an array of strings, but the file holds a string that is not UTF-8 at index 300"),
    ("alignment 3", || set("general.alignment", Value::U32(3)), "invalid_model", "general.alignment: is 3; must be a power of two"),
    ("key twice", || parts(|p| p.metadata.push(p.metadata[0].clone())), "invalid_model", "the key stands twice"),
    // Tensor entries.
    ("tensor twice", || parts(|p| p.tensors.push(p.tensors[0].clone())), "invalid_model", "the tensor stands twice"),
    ("offset out of step", || tensor("output_norm.weight", |t| t.offset = Some(33)), "invalid_model", "offset 33 is not aligned to 32"),
    ("offset past the end", || tensor("output_norm.weight", |t| t.offset = Some(1 << 40)), "invalid_model", "output_norm.weight: its 384 bytes at offset 1099511627776 lie past the end"),
    ("offset that overflows", || tensor("output_norm.weight", |t| t.offset = Some(u64::MAX - 31)), "invalid_model", "lie past the end"),
    ("dimension 0", || tensor("output_norm.weight", |t| t.dims = vec![0]), "invalid_model", "output_norm.weight: has a dimension of 0"),
    ("dimensions that overflow", || tensor("output_norm.weight", |t| t.dims = vec![1 << 40, 1 << 40]), "invalid_model", "has more values than any file"),
    ("no dimensions", || tensor("output_norm.weight", |t| t.dims = vec![]), "invalid_model", "has 0 dimensions; 1 to 4"),
    ("five dimensions", || tensor("output_norm.weight", |t| t.dims = vec![1; 5]), "invalid_model", "has 5 dimensions; 1 to 4"),
    ("type IQ3_S", || tensor("blk.0.attn_q.weight", |t| t.type_id = 21), "unsupported_model", "blk.0.attn_q.weight is of type IQ3_S, which is not read here"),
    ("type Q8_K", || tensor("blk.0.attn_q.weight", |t| t.type_id = 15), "unsupported_model", "is of type Q8_K"),
    ("type Q4_0_4_4", || tensor("blk.0.attn_q.weight", |t| t.type_id = 31), "unsupported_model", "is of type Q4_0_4_4"),
    ("type TQ1_0", || tensor("blk.0.attn_q.weight", |t| t.type_id = 34), "unsupported_model", "is of type TQ1_0"),
    ("type MXFP4", || tensor("blk.0.attn_q.weight", |t| t.type_id = 39), "unsupported_model", "is of type MXFP4"),
    ("type NVFP4", || tensor("blk.0.attn_q.weight", |t| t.type_id = 40), "unsupported_model", "is of type NVFP4"),
    ("type that is none", || tensor("blk.0.attn_q.weight", |t| t.type_id = 999), "unsupported_model", "is of type number 999"),
    ("half a block", || tensor("blk.0.attn_q.weight", |t| t.dims[0] = 33), "invalid_model", "rows of 33 values are not whole blocks"),
    // Sizes.
    ("another architecture", || set("general.architecture", text("llama")), "unsupported_model", "its architecture is \"llama\""),
    ("no architecture", || without("general.architecture"), "invalid_model", "general.architecture: the key is missing"),
    ("no layer count", || without("qwen3.block_count"), "invalid_model", "qwen3.block_count: the key is missing"),
    ("layer count as text", || set("qwen3.block_count", text("4")), "invalid_model", "qwen3.block_count: must be a whole number, but the file holds the string \"4\""),
    ("layer count below 0", || set("qwen3.block_count", Value::I32(-1)), "invalid_model", "qwen3.block_count: must be a whole number, but the file holds the integer -1"),
    ("endless layers", || set("qwen3.block_count", Value::U32(u32::MAX)), "invalid_model", "qwen3.block_count: is 4294967295; must be from 1 to 1024"),
    ("a layer too many", || set("qwen3.block_count", Value::U32(5)), "invalid_model", "blk.4.attn_norm.weight: the tensor is missing"),
    ("no heads", || set("qwen3.attention.head_count", Value::U32(0)), "invalid_model", "qwen3.attention.head_count: is 0"),
    ("heads that do not divide", || set("qwen3.attention.head_count_kv", Value::U32(3)), "invalid_model", "is 3, which does not divide the 4 heads"),
    ("odd head size", || set("qwen3.attention.key_length", Value::U32(33)), "invalid_model", "is 33; must be even"),
    ("unequal value size", || set("qwen3.attention.value_length", Value::U32(64)), "invalid_model", "is 64, unlike the key length 32"),
    ("epsilon not a number", || set("qwen3.attention.layer_norm_rms_epsilon", Value::F32(f32::NAN)), "invalid_model", "layer_norm_rms_epsilon: must be a finite number, but the file holds the float NaN"),
    ("rope base 0", || set("qwen3.rope.freq_base", Value::F32(0.0)), "invalid_model", "qwen3.rope.freq_base: is 0; must be above 1"),
    ("rope base endless", || set("qwen3.rope.freq_base", Value::F32(f32::INFINITY)), "invalid_model", "qwen3.rope.freq_base: must be a finite number, but the file holds the float inf"),
    ("no rope base", || without("qwen3.rope.freq_base"), "invalid_model", "qwen3.rope.freq_base: the key is missing"),
    ("layer counts that differ", || set("qwen3.attention.head_count", Value::Array(vec![Value::U32(4), Value::U32(2)])), "invalid_model", "qwen3.attention.head_count: must be a whole number, but the file holds an array of 2"),
    ("rope scaled in another way", || set("qwen3.rope.scaling.type", text("longrope")), "unsupported_model", "qwen3.rope.scaling.type is \"longrope\"; none, linear and yarn are computed"),
    ("rope scaled down", || set("qwen3.rope.scaling.factor", Value::F32(0.5)), "invalid_model", "qwen3.rope.scaling.factor: is 0.5; must lie between 1 and 10000"),
    ("linear rope with a gain", || set("qwen3.rope.scaling.attn_factor", Value::F32(1.2)), "unsupported_model", "qwen3.rope.scaling.attn_factor is 1.2"),
    ("YaRN of no positions", || parts(|p| p.metadata.extend(yarn(4.0, 0))), "invalid_model", "qwen3.rope.scaling.original_context_length: is 0; must be from 1"),
    ("rope factors", || parts(|p| { let factors = model::Tensor { name: "rope_freqs.weight".into(), ..p.tensor("blk.0.attn_q_norm.weight").clone() }; p.tensors.push(factors); }), "unsupported_model", "rope_freqs.weight holds"),
    // No reranker.
    ("embedding model (mean)", || set("qwen3.pooling_type", Value::U32(1)), "unsupported_model", "qwen3.pooling_type is 1 (mean): it is an embedding model and no reranker"),
    ("embedding model (first token)", || set("qwen3.pooling_type", Value::U32(2)), "unsupported_model", "qwen3.pooling_type is 2 (first token)"),
    ("embedding model (last token)", || set("qwen3.pooling_type", Value::U32(3)), "unsupported_model", "qwen3.pooling_type is 3 (last token)"),
    ("pooling that is not known", || set("qwen3.pooling_type", Value::U32(9)), "unsupported_model", "qwen3.pooling_type is 9, which is not known"),
    ("pooling as text", || set("qwen3.pooling_type", text("rank")), "invalid_model", "qwen3.pooling_type: must be a finite number"),
    // Keys that would change scores.
    ("sliding window", || set("qwen3.attention.sliding_window", Value::U32(4096)), "unsupported_model", "qwen3.attention.sliding_window is 4096; dense Qwen3 is computed, where it must be 0 or at least 40960"),
    ("partial rotary", || set("qwen3.rope.dimension_count", Value::U32(16)), "unsupported_model", "qwen3.rope.dimension_count is 16; dense Qwen3 is computed, where it must be 0 or 32"),
    ("attention scale", || set("qwen3.attention.scale", Value::F32(0.5)), "unsupported_model", "qwen3.attention.scale is 0.5"),
    ("attention both ways", || set("qwen3.attention.causal", Value::Bool(false)), "unsupported_model", "qwen3.attention.causal is false; dense Qwen3 is computed, where it must be true"),
    ("clamped attention", || set("qwen3.attention.clamp_kqv", Value::F32(8.0)), "unsupported_model", "qwen3.attention.clamp_kqv is 8"),
    ("another norm", || set("qwen3.attention.layer_norm_epsilon", Value::F32(1e-5)), "unsupported_model", "qwen3.attention.layer_norm_epsilon is"),
    ("latent attention", || set("qwen3.attention.key_length_mla", Value::U32(192)), "unsupported_model", "qwen3.attention.key_length_mla is 192"),
    ("scaled logits", || set("qwen3.logit_scale", Value::F32(0.1)), "unsupported_model", "qwen3.logit_scale is 0.1"),
    ("scaled embedding", || set("qwen3.embedding_scale", Value::F32(12.0)), "unsupported_model", "qwen3.embedding_scale is 12"),
    ("scaled residual", || set("qwen3.residual_scale", Value::F32(0.22)), "unsupported_model", "qwen3.residual_scale is 0.2"),
    ("capped logits", || set("qwen3.final_logit_softcapping", Value::F32(30.0)), "unsupported_model", "qwen3.final_logit_softcapping is 30"),
    ("capped attention", || set("qwen3.attn_logit_softcapping", Value::F32(50.0)), "unsupported_model", "qwen3.attn_logit_softcapping is 50"),
    ("experts", || set("qwen3.expert_count", Value::U32(128)), "unsupported_model", "qwen3.expert_count is 128"),
    ("parallel residual", || set("qwen3.use_parallel_residual", Value::Bool(true)), "unsupported_model", "qwen3.use_parallel_residual is true"),
    ("YaRN in part", || set("qwen3.rope.scaling.yarn_ext_factor", Value::F32(0.5)), "unsupported_model", "qwen3.rope.scaling.yarn_ext_factor is 0.5"),
    ("a key of tomorrow", || set("qwen3.attention.sharpness", Value::F32(1.0)), "unsupported_model", "qwen3.attention.sharpness is a key that is not known here"),
    ("context too short", || set("qwen3.context_length", Value::U32(8)), "invalid_value", "max_length: is 8; the prompt template alone takes"),
    ("tensors that overlap", || tensor("output_norm.weight", |t| t.offset = Some(0)), "invalid_model", "its data overlaps that of"),
    // Tensors that the model needs, and no others.
    ("a bias", || parts(|p| { let bias = model::Tensor { name: "blk.0.attn_q.bias".into(), ..p.tensor("output_norm.weight").clone() }; p.tensors.push(bias); }), "unsupported_model", "blk.0.attn_q.bias: dense Qwen3 has no such tensor"),
    ("a scoring head with a bias", || parts(|p| { let bias = model::Tensor { name: "cls.output.bias".into(), ..p.tensor("output_norm.weight").clone() }; p.tensors.push(bias); }), "unsupported_model", "cls.output.bias: a scoring head with a bias is not computed"),
    ("a scoring head of two layers", || parts(|p| { let dense = model::Tensor { name: "cls.weight".into(), ..p.tensor("output_norm.weight").clone() }; p.tensors.push(dense); }), "unsupported_model", "cls.weight: a scoring head of several layers is not computed"),
    ("a layer beyond the last", || set("qwen3.block_count", Value::U32(3)), "unsupported_model", "blk.3.attn_k.weight: dense Qwen3 has no such tensor"),
    ("tensor missing", || parts(|p| p.tensors.retain(|t| t.name != "blk.1.ffn_up.weight")), "invalid_model", "blk.1.ffn_up.weight: the tensor is missing"),
    ("embedding missing", || parts(|p| p.tensors.retain(|t| t.name != "token_embd.weight")), "invalid_model", "token_embd.weight: the tensor is missing"),
    ("shape turned round", || tensor("blk.0.ffn_up.weight", |t| t.dims.reverse()), "invalid_model", "blk.0.ffn_up.weight: has shape [96, 256]; must be [256, 96]"),
    // Tokenizer.
    ("no vocabulary", || without("tokenizer.ggml.tokens"), "invalid_model", "tokenizer.ggml.tokens: the key is missing"),
    ("vocabulary of numbers", || set("tokenizer.ggml.tokens", Value::Array(vec![Value::U32(1)])), "invalid_model", "tokenizer.ggml.tokens: must be an array of strings, but the file holds the integer 1 at index 0"),
    ("vocabulary without array", || set("tokenizer.ggml.tokens", Value::Bool(true)), "invalid_model", "tokenizer.ggml.tokens: must be an array of strings, but the file holds the boolean true"),
    ("token type below 0", || parts(|p| p.items("tokenizer.ggml.token_type")[3] = Value::I32(-1)), "invalid_model", "must be an array of whole numbers, but the file holds the integer -1 at index 3"),
    ("vocabulary too small", || set("tokenizer.ggml.tokens", Value::Array(vec![text("a")])), "invalid_model", "types for 1 tokens"),
    ("another tokenizer", || set("tokenizer.ggml.model", text("llama")), "unsupported_model", "tokenizer.ggml.model is \"llama\""),
    ("another splitting", || set("tokenizer.ggml.pre", text("gpt-2")), "unsupported_model", "tokenizer.ggml.pre is \"gpt-2\""),
    ("token twice", || parts(|p| { let tokens = p.items("tokenizer.ggml.tokens"); tokens[301] = tokens[300].clone(); }), "invalid_model", "stands twice"),
    ("byte without token", || parts(|p| p.items("tokenizer.ggml.tokens")[0] = text("no such token")), "invalid_model", "has no token for the byte 0x21"),
    ("more tokens than rows", more_tokens, "invalid_model", "token_embd.weight: has"),
    ("merge of one token", || parts(|p| p.items("tokenizer.ggml.merges")[7] = text("alone")), "invalid_model", "tokenizer.ggml.merges[7]: \"alone\" is not two tokens"),
    ("merge of unknown tokens", || parts(|p| p.items("tokenizer.ggml.merges")[7] = text("no-such token")), "invalid_model", "tokenizer.ggml.merges[7]: \"no-such\" is not in the vocabulary"),
    ("no token yes", || parts(|p| p.items("tokenizer.ggml.merges").retain(|m| !matches!(m, Value::String(m) if m.replace(' ', "") == "yes"))), "invalid_model", "\"yes\" is not a single token"),
    ("control token empty", || parts(|p| p.items("tokenizer.ggml.tokens").iter_mut().filter(|token| **token == text("<|endoftext|>")).for_each(|token| *token = text(""))), "invalid_model", "]: is empty"),
    ("a control token without end", long_control_token, "invalid_model", "tokenizer.ggml.tokens: control tokens of"),
    ("no control token", no_control_token, "invalid_model", "has no control token <|im_end|>"),
    // Scoring head.
    ("head all zero", || tensor("cls.output.weight", |t| t.data.fill(0)), "invalid_model", "cls.output.weight: the row for \"yes\" is all zero"),
    ("head not a number", || tensor("cls.output.weight", |t| t.data[..4].copy_from_slice(&NAN)), "invalid_model", "cls.output.weight: the row for \"yes\" holds values that are not finite"),
    ("yes equal to no", equal_rows, "invalid_model", "cls.output.weight: the rows for"),
    ("head of another width", || tensor("cls.output.weight", |t| t.dims[0] = 64), "invalid_model", "cls.output.weight: has shape [2, 64]; must be [2, 96]"),
    ("head of three rows", || tensor("cls.output.weight", |t| { t.dims[1] = 3; t.data.extend([1; 384]); }), "invalid_model", "cls.output.weight: has shape [3, 96]; must be [2, 96] (yes, no) or [1, 96]"),
    ("labels of two for a head of one row", || tensor("cls.output.weight", |t| t.dims = vec![96]), "invalid_model", "qwen3.classifier.output_labels: holds [\"yes\", \"no\"], but cls.output.weight has one row"),
    // Weights that only show when they are used.
    ("weight not a number", || tensor("blk.2.attn_norm.weight", |t| t.data[..4].copy_from_slice(&NAN)), "invalid_model", "blk.2.attn_norm.weight: holds values that are not finite"),
    ("scale not a number", || tensor("blk.1.attn_q.weight", |t| t.data[..2].copy_from_slice(&[0, 0x7e])), "invalid_model", "blk.1.attn_q.weight: holds values that are not finite"),
    ("embedding not a number", || tensor("token_embd.weight", |t| t.data[34..36].copy_from_slice(&[0, 0x7c])), "invalid_model", "token_embd.weight: holds values that are not finite"),
    ("last norm not a number", || tensor("output_norm.weight", |t| t.data[..4].copy_from_slice(&NAN)), "invalid_model", "output_norm.weight: holds values that are not finite"),
    ("weights too large", || tensor("blk.2.attn_norm.weight", |t| t.data.chunks_mut(4).for_each(|value| value.copy_from_slice(&f32::MAX.to_le_bytes()))), "not_finite", "not a finite number for documents[0]"),
];

const NAN: [u8; 4] = f32::NAN.to_le_bytes();

fn header() -> usize {
    header_length(model::bytes())
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

/// The committed model with other bytes from `start` on.
fn patched(start: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = model::bytes().to_vec();
    file[start..start + bytes.len()].copy_from_slice(bytes);
    file
}

/// The first `length` bytes of the committed model.
fn cut(length: usize) -> Vec<u8> {
    model::bytes()[..length].to_vec()
}

/// The committed model's parts, changed.
fn parts(change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = Parts::committed();
    change(&mut parts);
    parts.to_bytes()
}

fn tensor(name: &str, change: impl FnOnce(&mut model::Tensor)) -> Vec<u8> {
    parts(|parts| change(parts.tensor(name)))
}

fn set(key: &str, value: Value) -> Vec<u8> {
    parts(|parts| {
        parts.metadata.retain(|(name, _)| name != key);
        parts.metadata.push((key.into(), value));
    })
}

fn without(key: &str) -> Vec<u8> {
    parts(|parts| parts.metadata.retain(|(name, _)| name != key))
}

/// A file with one metadata entry, whose type and bytes are given, and some room behind it.
fn raw_value(kind: u32, value: &[u8]) -> Vec<u8> {
    let mut file = b"GGUF\x03\0\0\0".to_vec();
    file.extend(0u64.to_le_bytes());
    file.extend(1u64.to_le_bytes());
    file.extend(1u64.to_le_bytes());
    file.extend(b"k");
    file.extend(kind.to_le_bytes());
    file.extend(value);
    file.resize(file.len() + 100, 0);
    file
}

/// An array that holds one array that holds one array…
fn nested(depth: usize) -> Vec<u8> {
    [&9u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat().repeat(depth)
}

/// The keys of a rope scaled by YaRN.
fn yarn(factor: f32, original: u32) -> [(String, Value); 3] {
    [
        ("type", text("yarn")),
        ("factor", Value::F32(factor)),
        ("original_context_length", Value::U32(original)),
    ]
    .map(|(key, value)| (format!("qwen3.rope.scaling.{key}"), value))
}

fn more_tokens() -> Vec<u8> {
    parts(|parts| {
        parts.items("tokenizer.ggml.tokens").push(text("one more"));
        parts.items("tokenizer.ggml.token_type").push(Value::I32(1));
    })
}

fn long_control_token() -> Vec<u8> {
    parts(|parts| {
        for token in parts.items("tokenizer.ggml.tokens") {
            if *token == text("<|endoftext|>") {
                *token = text(&".".repeat(1 << 20));
            }
        }
    })
}

fn no_control_token() -> Vec<u8> {
    parts(|parts| {
        for token in parts.items("tokenizer.ggml.tokens") {
            if *token == text("<|im_end|>") {
                *token = text("<|im_ends|>");
            }
        }
    })
}

fn equal_rows() -> Vec<u8> {
    tensor("cls.output.weight", |tensor| {
        let half = tensor.data.len() / 2;
        tensor.data.copy_within(half.., 0);
    })
}

/// Loads a file and, if that succeeds, reranks with it.
fn use_file(bytes: &[u8]) -> Result<Ranking> {
    let documents = vec!["Paris".to_string(), "Berlin".to_string()];
    model::load(bytes)?.rerank(&RerankRequest::new("capital of France", documents))
}

/// Files that look odd and are whole all the same: a name, and what is changed.
type Whole = (&'static str, fn(&mut Parts));

#[rustfmt::skip]
const WHOLE: &[Whole] = &[
    ("a name that is not UTF-8", |p| *p.value("general.name") = Value::Bytes(b"caf\xe9".into())),
    ("a description that is not UTF-8", |p| p.metadata.push(("general.description".into(), Value::Bytes(vec![0xff])))),
    ("tags that are not UTF-8", |p| p.metadata.push(("general.tags".into(), Value::Array(vec![Value::Bytes(vec![0xff])])))),
    ("heads by layer", |p| *p.value("qwen3.attention.head_count") = Value::Array(vec![Value::U32(4); 4])),
    ("a factor by layer", |p| *p.value("qwen3.rope.freq_base") = Value::Array(vec![Value::F32(1e6); 4])),
    ("a norm as a row", |p| p.tensor("blk.0.attn_norm.weight").dims.push(1)),
    ("a norm as a column", |p| p.tensor("output_norm.weight").dims.insert(0, 1)),
    ("a matrix in three dimensions", |p| p.tensor("blk.0.attn_q.weight").dims.push(1)),
    ("pooling none", |p| *p.value("qwen3.pooling_type") = Value::U32(0)),
    ("pooling not stated", |p| *p.value("qwen3.pooling_type") = Value::I32(-1)),
    ("no pooling", |p| p.metadata.retain(|(key, _)| key != "qwen3.pooling_type")),
    ("rotary over whole heads", |p| p.metadata.push(("qwen3.rope.dimension_count".into(), Value::U32(32)))),
    ("no sliding window", |p| p.metadata.push(("qwen3.attention.sliding_window".into(), Value::U32(0)))),
    ("a window as long as the context", |p| p.metadata.push(("qwen3.attention.sliding_window".into(), Value::U32(40960)))),
    ("the usual attention scale", |p| p.metadata.push(("qwen3.attention.scale".into(), Value::F32(1.0 / 32f32.sqrt())))),
    ("causal attention", |p| p.metadata.push(("qwen3.attention.causal".into(), Value::Bool(true)))),
    ("no experts", |p| p.metadata.push(("qwen3.expert_count".into(), Value::U32(0)))),
    ("the size of the vocabulary", |p| p.metadata.push(("qwen3.vocab_size".into(), Value::U32(10_282)))),
    ("a rope scaled by 1", |p| p.metadata.push(("qwen3.rope.scaling.factor".into(), Value::F32(1.0)))),
    ("a rope scaled by none", |p| { p.metadata.extend(yarn(4.0, 100)); *p.value("qwen3.rope.scaling.type") = text("none"); }),
    ("rope factors of 1", |p| { let mut factors = model::Tensor { name: "rope_freqs.weight".into(), ..p.tensor("blk.0.attn_q_norm.weight").clone() }; factors.data = 1f32.to_le_bytes().repeat(32); p.tensors.push(factors); }),
];

/// Each document's index and margin, best first.
fn margins(ranking: &Ranking) -> Vec<(usize, f32)> {
    ranking.results.iter().map(|ranked| (ranked.index, ranked.score.margin)).collect()
}

#[test]
fn odd_files_whose_meaning_is_plain_score_as_the_plain_one() {
    let expected = margins(&use_file(model::bytes()).unwrap());
    for (name, change) in WHOLE {
        let found = use_file(&parts(change)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(margins(&found), expected, "{name}");
    }
}

#[test]
fn an_embedding_model_is_loaded_when_asked_for() {
    let file = set("qwen3.pooling_type", Value::U32(3));
    let mut options = qwen3_rerank::LoadOptions::default();
    options.any_pooling = true;
    let load = qwen3_rerank::Reranker::load(std::io::Cursor::new(file), options, &mut |_| {});
    assert!(load.is_ok());
}

#[test]
fn a_scaled_rope_changes_scores() {
    let of = |file: &[u8]| margins(&use_file(file).unwrap());
    let plain = of(model::bytes());
    let linear = of(&set("qwen3.rope.scaling.factor", Value::F32(4.0)));
    let older = of(&set("qwen3.rope.scale_linear", Value::F32(4.0)));
    let yarn = |original| of(&parts(|p| p.metadata.extend(yarn(4.0, original))));
    assert_eq!(linear, older);
    assert_ne!(linear, plain);
    assert_ne!(yarn(64), plain);
    assert_ne!(yarn(64), linear);
    assert_ne!(yarn(64), yarn(4096));
}

#[test]
fn broken_files_are_refused_with_what_and_where() {
    assert!(use_file(&Parts::committed().to_bytes()).is_ok(), "the parts make a whole");
    let mut failures = Vec::new();
    for &(name, file, kind, message) in FILES {
        let file = file();
        match catch_unwind(|| use_file(&file)) {
            Ok(Err(error)) if error.kind() == kind && error.to_string().contains(message) => {}
            Ok(Err(error)) => failures.push(format!("{name}: {}: {error}", error.kind())),
            Ok(Ok(_)) => failures.push(format!("{name}: is taken")),
            Err(_) => failures.push(format!("{name}: panics")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is damaged in the header, the file loads or is refused.
    #[test]
    fn damaged_headers_do_not_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in prop::option::of(any::<prop::sample::Index>()),
    ) {
        static HEADER: OnceLock<usize> = OnceLock::new();
        let header = *HEADER.get_or_init(header);
        let mut file = model::bytes().to_vec();
        for (place, byte) in damage {
            file[place.index(header)] = byte;
        }
        file.truncate(end.map_or(file.len(), |end| end.index(file.len())));
        let _ = use_file(&file);
    }

    /// The same where it hurts most: counts, key lengths and types at the start.
    #[test]
    fn damaged_starts_do_not_panic(place in 0usize..2000, bytes in any::<[u8; 4]>()) {
        let _ = use_file(&patched(place, &bytes));
    }
}

/// A broken request: what is wrong, the body, the status, `error.type`, what its message must say.
type Request = (&'static str, &'static str, u16, &'static str, &'static str);

#[rustfmt::skip]
const REQUESTS: &[Request] = &[
    ("nothing", "", 400, "invalid_json", "EOF while parsing a value at line 1 column 0"),
    ("broken off", r#"{"query": "q", "#, 400, "invalid_json", "line 1 column 15"),
    ("trailing comma", r#"{"query": "q",}"#, 400, "invalid_json", "trailing comma at line 1 column 15"),
    ("two values", "{} {}", 400, "invalid_json", "trailing characters at line 1 column 4"),
    ("a key twice", r#"{"query": "a", "documents": ["d"], "query": "b"}"#, 400, "invalid_json", "\"query\" stands twice in an object at line 1 column 42"),
    ("NaN", r#"{"query": "a", "documents": ["d"], "top_n": NaN}"#, 400, "invalid_json", "JSON has no NaN, write null"),
    ("a raw control character", "{\"query\": \"a\0\"}", 400, "invalid_json", "control character"),
    ("number too large", r#"{"top_n": 1e999}"#, 400, "invalid_json", "number out of range at line 1"),
    ("an array", "[]", 422, "invalid_shape", "request: must be a JSON object, not an array"),
    ("null", "null", 422, "invalid_shape", "request: must be a JSON object, not null"),
    ("no query", r#"{"documents": ["d"]}"#, 422, "invalid_shape", "query: is missing"),
    ("no documents", r#"{"query": "q"}"#, 422, "invalid_shape", "documents: is missing"),
    ("query a number", r#"{"query": 1, "documents": ["d"]}"#, 422, "invalid_shape", "query: must be a string, not a number"),
    ("query blank", r#"{"query": " \n", "documents": ["d"]}"#, 400, "invalid_value", "query: is empty"),
    ("documents a string", r#"{"query": "q", "documents": "d"}"#, 422, "invalid_shape", "documents: must be an array of strings, not a string"),
    ("documents empty", r#"{"query": "q", "documents": []}"#, 400, "invalid_value", "documents: is empty"),
    ("document a number", r#"{"query": "q", "documents": ["d", 2]}"#, 422, "invalid_shape", "documents[1]: must be a string"),
    ("document without text", r#"{"query": "q", "documents": [{"body": "d"}]}"#, 422, "invalid_shape", "documents[0].text: is missing"),
    ("texts not strings", r#"{"query": "q", "texts": [null]}"#, 422, "invalid_shape", "texts[0]: must be a string"),
    ("documents against texts", r#"{"query": "q", "documents": ["a"], "texts": ["b"]}"#, 400, "invalid_value", "texts: contradicts documents"),
    ("top_n 0", r#"{"query": "q", "documents": ["d"], "top_n": 0}"#, 400, "invalid_value", "top_n: is 0; must be a whole number of at least 1"),
    ("top_n -1", r#"{"query": "q", "documents": ["d"], "top_n": -1}"#, 400, "invalid_value", "top_n: is -1"),
    ("top_n 1.5", r#"{"query": "q", "documents": ["d"], "top_n": 1.5}"#, 400, "invalid_value", "top_n: is 1.5"),
    ("top_n a string", r#"{"query": "q", "documents": ["d"], "top_n": "3"}"#, 422, "invalid_shape", "top_n: must be a whole number of at least 1, not a string"),
    ("top_k 0", r#"{"query": "q", "documents": ["d"], "top_k": 0}"#, 400, "invalid_value", "top_k: is 0"),
    ("max_tokens_per_doc 0", r#"{"query": "q", "documents": ["d"], "max_tokens_per_doc": 0}"#, 400, "invalid_value", "max_tokens_per_doc: is 0"),
    ("a flag as text", r#"{"query": "q", "documents": ["d"], "return_documents": "yes"}"#, 422, "invalid_shape", "return_documents: must be true or false, not a string"),
    ("model a number", r#"{"query": "q", "documents": ["d"], "model": 4}"#, 422, "invalid_shape", "model: must be a string"),
    ("rank_fields a string", r#"{"query": "q", "documents": ["d"], "rank_fields": "title"}"#, 422, "invalid_shape", "rank_fields: must be an array of strings, not a string"),
    ("rank_fields of none", r#"{"query": "q", "documents": [{"text": "d"}], "rank_fields": ["title"]}"#, 422, "invalid_shape", "documents[0]: has no field that rank_fields names: title"),
    ("raw_scores a string", r#"{"query": "q", "documents": ["d"], "raw_scores": "yes"}"#, 422, "invalid_shape", "raw_scores: must be true or false, not a string"),
    ("instruction an array", r#"{"query": "q", "documents": ["d"], "instruction": []}"#, 422, "invalid_shape", "instruction: must be a string, not an array"),
];

#[test]
fn broken_requests_get_their_status_and_one_form_of_error() {
    let server = Serving::default();
    let long = "word ".repeat(20_000);
    let too_long = json!({"query": &long, "documents": ["d"]}).to_string();
    let uncut = json!({"query": "q", "documents": ["d", &long], "truncate": false}).to_string();
    let many = json!({"query": "q", "documents": vec!["d"; 10_001]}).to_string();
    let deep = "[".repeat(100_000);
    let mut requests = REQUESTS.to_vec();
    requests.extend([
        ("query too long", &*too_long, 400, "invalid_value", "query: is too long"),
        ("document too long", &*uncut, 400, "invalid_value", "documents[1]: is too long"),
        (
            "too many documents",
            &*many,
            400,
            "invalid_value",
            "documents: holds 10001; at most 10000",
        ),
        ("endless nesting", &*deep, 400, "invalid_json", "recursion limit exceeded at line 1"),
    ]);
    for (name, body, status, kind, message) in requests {
        for path in ["/rerank", "/v1/rerank"] {
            let headers = [("content-type", "application/json; charset=utf-8")];
            assert_error(name, &server.send("POST", path, &headers, body), status, kind, message);
        }
    }
    let not_utf8 = server.send("POST", "/rerank", &JSON, &b"{\"query\": \"\xff\"}"[..]);
    assert_error(
        "not UTF-8",
        &not_utf8,
        400,
        "invalid_json",
        "the body is not valid JSON: not UTF-8 text, at byte 11",
    );
    server.assert_alive();
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[test]
fn broken_http_gets_the_same_form_of_error() {
    let mut options = Options::default();
    options.body_limit = 1000;
    let server = Serving::start(options);
    let good = json!({"query": "q", "documents": ["d"]}).to_string();
    let large = json!({"query": "q".repeat(1000), "documents": ["d"]}).to_string();
    let huge = "x".repeat(1_000_000);
    type Http<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let text: &[_] = &[("content-type", "text/plain")];
    let zipped: &[_] = &[JSON[0], ("content-encoding", "gzip")];
    let requests: [Http; 10] = [
        ("GET", "/rerank", &[], "", 405, "method_not_allowed"),
        ("DELETE", "/v1/rerank", &[], "", 405, "method_not_allowed"),
        ("POST", "/health", &JSON, "{}", 405, "method_not_allowed"),
        ("POST", "/nothing", &JSON, &good, 404, "not_found"),
        ("GET", "/", &[], "", 404, "not_found"),
        ("POST", "/rerank", &[], &good, 415, "unsupported_media_type"),
        ("POST", "/rerank", text, &good, 415, "unsupported_media_type"),
        ("POST", "/rerank", zipped, &good, 415, "unsupported_media_type"),
        ("POST", "/rerank", &JSON, &large, 413, "payload_too_large"),
        ("POST", "/rerank", &JSON, &huge, 413, "payload_too_large"),
    ];
    for (method, path, headers, body, status, kind) in requests {
        let answer = server.send(method, path, headers, body);
        assert_error(&format!("{method} {path}"), &answer, status, kind, "");
        if status == 405 {
            let allowed = answer.header("allow");
            assert!(allowed.contains("POST") || allowed.contains("GET"), "{allowed}");
        }
    }
    server.assert_alive();
}

fn assert_error(
    name: &str,
    answer: &crate::serving::Answer,
    status: u16,
    kind: &str,
    message: &str,
) {
    let body = answer.json();
    let error = &body["error"];
    assert_eq!((answer.status, &error["code"]), (status, &json!(status)), "{name}: {body}");
    assert_eq!(crate::serving::keys(&body), ["error"], "{name}");
    assert_eq!(crate::serving::keys(error), ["code", "message", "param", "type"], "{name}");
    assert_eq!(error["type"], kind, "{name}: {body}");
    let said = error["message"].as_str().unwrap();
    assert!(!said.is_empty() && said.contains(message), "{name}: {said}");
    if let Some((field, _)) = message.split_once(": ").filter(|_| kind.starts_with("invalid_v")) {
        assert_eq!(error["param"], field, "{name}: {body}");
    }
}

/// Broken arguments: the command line, its exit code, what stderr must say.
/// `MODEL` stands for the committed model, `DIR` for a folder with the files that
/// [`folder`] makes.
type Arguments = (&'static str, i32, &'static str);

#[rustfmt::skip]
const ARGUMENTS: &[Arguments] = &[
    ("", 2, "Usage: qwen3-rerank"),
    ("reranks", 2, "unrecognized subcommand 'reranks'"),
    ("rerank --model MODEL --documents -", 2, "--query <TEXT>"),
    ("rerank --model MODEL --query q", 2, "--documents <FILE|->"),
    ("rerank --model MODEL --query q --documents - --top-n 0", 2, "'--top-n <N>': must be a whole number of at least 1"),
    ("rerank --model MODEL --query q --documents - --top-n=-1", 2, "must be a whole number of at least 1"),
    ("rerank --model MODEL --query q --documents - --top-n 1.5", 2, "must be a whole number of at least 1"),
    ("rerank --model MODEL --query q --documents - --form v3", 2, "[possible values: documented, v1]"),
    ("rerank --model MODEL --query q --documents - --threads 0", 2, "must be a whole number from 1 to 1024"),
    ("rerank --model MODEL --query q --documents -", 1, "error: documents: is empty; give at least one document"),
    ("rerank --model MODEL --query q --documents DIR/nothing", 1, "DIR/nothing: No such file"),
    ("rerank --model MODEL --query q --documents DIR", 1, "DIR: is a folder, not a file"),
    ("rerank --model MODEL --query q --documents DIR/broken.json", 1, "broken.json: starts with [ but is not a JSON array: EOF while parsing a list at line 1 column 6"),
    ("rerank --model MODEL --query q --documents DIR/numbers.json", 1, "documents[1]: must be a string"),
    ("rerank --model MODEL --query q --documents DIR/latin1.txt", 1, "latin1.txt: not UTF-8 text, at byte 3"),
    ("rerank --model MODEL --query= --documents DIR/good.txt", 1, "query: is empty"),
    ("rerank --model DIR/nothing.gguf --query q --documents DIR/good.txt", 1, "nothing.gguf: No such file"),
    ("rerank --model DIR --query q --documents DIR/good.txt", 1, "DIR: is a folder, not a file"),
    ("rerank --model DIR/good.txt --query q --documents DIR/good.txt", 1, "good.txt: invalid model file: byte 0: not a GGUF file"),
    ("rerank --model MODEL --max-length 9 --query q --documents DIR/good.txt", 1, "max_length: is 9; the prompt template alone takes"),
    ("rerank --model MODEL --max-length 60 --query q --documents DIR/good.txt", 1, "query: is too long"),
    ("score --model MODEL --input DIR/nothing", 1, "DIR/nothing: No such file"),
    ("score --model MODEL --input DIR/good.txt", 1, "error: line 1: not JSON: expected value at column 1"),
    ("score --model MODEL --input DIR/keys.jsonl", 1, "line 2: document: is missing; give a string"),
    ("score --model MODEL --input DIR/blank.jsonl", 1, "line 1: query: is empty"),
    ("info --model DIR/empty.gguf", 1, "empty.gguf: invalid model file: byte 0: the file is empty"),
    ("serve --model MODEL --port 99999", 2, "99999 is not in 0..=65535"),
    ("serve --model MODEL --host nowhere", 2, "invalid IP address syntax"),
    ("serve --model MODEL --port 0 --api-key=", 2, "a value is required for '--api-key <KEY>'"),
    ("serve --model MODEL --port 0 --page DIR/nothing", 1, "DIR/nothing: no such folder"),
    ("serve --model DIR/nothing.gguf --port 0", 1, "nothing.gguf: No such file"),
    ("random --type q9 DIR/out.gguf", 2, "invalid value 'q9' for '--type"),
    ("random --shape huge DIR/out.gguf", 2, "invalid value 'huge' for '--shape"),
    ("random --heads 0 DIR/out.gguf", 1, "heads: is 0"),
    ("random DIR/nothing/out.gguf", 1, "No such file"),
    ("quantize --from DIR/nothing --type q8_0 DIR/out.gguf", 1, "DIR/nothing"),
    ("quantize --from DIR/good.txt --type q8_0 DIR/out.gguf", 1, "DIR/good.txt: byte 0: not a GGUF file"),
    ("quantize --from DIR/empty.gguf --type q8_0 DIR/out.gguf", 1, "DIR/empty.gguf: byte 0: the file is empty"),
    ("quantize --from DIR --type q8_0 DIR/out.gguf", 1, "config.json"),
    ("quantize --from MODEL --type iq4_xs DIR/out.gguf", 2, "invalid value 'iq4_xs' for '--type"),
];

/// A folder with good and broken files for [`ARGUMENTS`].
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, content) in [
        ("good.txt", &b"one\ntwo\n"[..]),
        ("broken.json", b"[\"one\""),
        ("numbers.json", b"[\"one\", 2]"),
        ("latin1.txt", b"caf\xe9"),
        ("keys.jsonl", b"{\"query\": \"q\", \"document\": \"d\"}\n{\"query\": \"q\"}\n"),
        ("blank.jsonl", b"{\"query\": \" \", \"document\": \"d\"}\n"),
        ("empty.gguf", b""),
    ] {
        fs::write(folder.path().join(name), content).expect("a file can be written");
    }
    folder
}

#[test]
fn broken_arguments_end_with_their_code_and_one_error() {
    let folder = folder();
    let (directory, model) = (folder.path().to_str().unwrap(), model::path());
    let fill =
        |text: &str| text.replace("DIR", directory).replace("MODEL", model.to_str().unwrap());
    let mut failures = Vec::new();
    for &(line, code, message) in ARGUMENTS {
        let output = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"))
            .args(line.split_whitespace().map(fill))
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        let one_line = code == 2 || (error.starts_with("error: ") && error.lines().count() == 1);
        let right = error.contains(&fill(message)) && !error.contains("panicked");
        if !(right && one_line && output.status.code() == Some(code)) {
            failures.push(format!("{line}: {:?}: {error}", output.status.code()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

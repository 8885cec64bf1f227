//! What is fuzzed, as functions that take any bytes and must not panic. The assertions are what must hold of whatever
//! is accepted. `tests/native/fuzz.rs` runs the same functions.

// Each fuzz program uses one of them.
#![allow(dead_code)]

use std::io::Cursor;
use std::sync::LazyLock;

use qwen3_rerank::gguf::Reader;
use qwen3_rerank::prompt::template;
use qwen3_rerank::prompt::tokenizer::Tokenizer;
use qwen3_rerank::{Config, RerankRequest};

/// The committed model, whose vocabulary has 10,000 tokens.
const MODEL: &[u8] = include_bytes!("../fixtures/qwen3-rerank-untrained.gguf");

/// A GGUF file: tensors lie within it and apart, and its configuration and tokenizer are read or refused.
pub fn gguf_header(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(Cursor::new(bytes)) else { return };
    let infos = reader.tensors.clone();
    let mut places = Vec::new();
    for (name, info) in &infos {
        let end = info.offset.checked_add(info.size).expect("a tensor ends");
        assert!(end <= bytes.len() as u64, "{name} lies within the file");
        assert!(info.dims.iter().all(|&dim| dim > 0), "{name} has values");
        places.push((info.offset, end));
        let size = usize::try_from(info.size).expect("it lies within the file");
        assert_eq!(reader.bytes(name, 0, size).expect("it can be read").len(), size);
    }
    places.sort();
    assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0), "no two tensors share bytes");
    let _ = Config::from_gguf(&reader);
    let _ = Tokenizer::from_gguf(&reader.metadata);
}

/// A request's JSON: what is accepted keeps the limits, and a refusal says what is wrong.
pub fn request_json(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    match RerankRequest::from_json(&value) {
        Ok(request) => {
            assert!(!request.query.trim().is_empty() && !request.documents.is_empty());
            assert!(request.top_n != Some(0) && request.max_tokens_per_doc != Some(0));
            request.validate().expect("an accepted request is valid");
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.kind().is_empty()),
    }
}

/// A text: the first byte is the limit, the second says whether control tokens count, the rest is the text.
/// All ids are the vocabulary's, and those within a limit are the first of all.
pub fn tokenizer(bytes: &[u8]) {
    static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
        let metadata = Reader::new(Cursor::new(MODEL)).expect("the model is whole").metadata;
        Tokenizer::from_gguf(&metadata).expect("the model has a tokenizer")
    });
    let [limit, control, text @ ..] = bytes else { return };
    let (limit, control, text) =
        (usize::from(*limit), control % 2 == 1, String::from_utf8_lossy(text));
    let all = TOKENIZER.encode(&text, control, usize::MAX);
    assert!(!all.truncated);
    assert!(all.ids.iter().all(|&id| (id as usize) < TOKENIZER.vocabulary_size()));
    let cut = TOKENIZER.encode(&text, control, limit);
    assert_eq!(cut.ids, all.ids[..all.ids.len().min(limit)]);
    assert_eq!(cut.truncated, all.ids.len() > limit);
}

/// A template: what is accepted has its query and its document, and a refusal says what is wrong.
pub fn template(bytes: &[u8]) {
    match template::parse(&String::from_utf8_lossy(bytes)) {
        Ok(pieces) => {
            let count = |piece| pieces.iter().filter(|&each| *each == piece).count();
            assert!(count(template::Piece::Query) > 0 && count(template::Piece::Document) == 1);
        }
        Err(error) => assert!(error.to_string().contains("tokenizer.chat_template.rerank")),
    }
}

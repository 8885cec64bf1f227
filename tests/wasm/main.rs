//! The core inside WebAssembly: the same margins as natively, to the last bit, whole batches
//! like single documents, and no trap whatever the file holds.
#![cfg(target_arch = "wasm32")]

use std::io::Cursor;

use qwen3_rerank::{JobStep, LoadOptions, RerankRequest, Reranker, Result};
use serde::Deserialize;
use wasm_bindgen_test::wasm_bindgen_test;

const MODEL: &[u8] = include_bytes!("../fixtures/qwen3-rerank-untrained.gguf");

/// Written by `node tests/fixtures/untrained.mjs` with the native program.
const NATIVE: &str = include_str!("../fixtures/untrained.json");

#[derive(Deserialize)]
struct Case {
    query: String,
    documents: Vec<String>,
    margins: Vec<f32>,
}

fn load(bytes: &[u8]) -> Result<Reranker> {
    Reranker::load(Cursor::new(bytes), LoadOptions::default(), &mut |_| {})
}

/// Margins in the order of `documents`.
fn margins(reranker: &Reranker, query: &str, documents: &[String]) -> Vec<f32> {
    let request = RerankRequest::new(query, documents.to_vec());
    let ranking = reranker.rerank(&request).unwrap();
    let mut margins = vec![f32::NAN; documents.len()];
    for ranked in &ranking.results {
        margins[ranked.index] = ranked.score.margin;
    }
    margins
}

#[wasm_bindgen_test]
fn margins_equal_native_ones() {
    let reranker = load(MODEL).unwrap();
    let cases: Vec<Case> = serde_json::from_str(NATIVE).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(margins(&reranker, &case.query, &case.documents), case.margins);
    }
}

#[wasm_bindgen_test]
fn a_batch_equals_single_documents() {
    let reranker = load(MODEL).unwrap();
    for case in serde_json::from_str::<Vec<Case>>(NATIVE).unwrap() {
        let single =
            |document: &String| margins(&reranker, &case.query, std::slice::from_ref(document))[0];
        let singles: Vec<f32> = case.documents.iter().map(single).collect();
        assert_eq!(margins(&reranker, &case.query, &case.documents), singles);
    }
}

#[wasm_bindgen_test]
fn steps_of_two_jobs_may_alternate() {
    let reranker = load(MODEL).unwrap();
    let case = &serde_json::from_str::<Vec<Case>>(NATIVE).unwrap()[0];
    let request = RerankRequest::new(&*case.query, case.documents.clone());
    let mut jobs = [(); 2].map(|()| reranker.start(request.clone()).unwrap());
    let mut running = true;
    while running {
        running = false;
        for job in &mut jobs {
            running |= job.step().unwrap() != JobStep::Done;
        }
    }
    for job in jobs {
        for ranked in job.finish().unwrap().results {
            assert_eq!(ranked.score.margin, case.margins[ranked.index]);
        }
    }
}

#[wasm_bindgen_test]
fn truncated_files_are_errors() {
    let steps = (0..48).chain((1..40).map(|part| MODEL.len() * part / 40));
    for length in steps.chain([MODEL.len() - 1]) {
        let Err(error) = load(&MODEL[..length]) else { panic!("{length} bytes were loaded") };
        assert_eq!(error.kind(), "invalid_model", "{length} bytes: {error}");
    }
}

#[wasm_bindgen_test]
fn flipped_bytes_do_not_trap() {
    let mut bytes = MODEL.to_vec();
    // Every byte of the counts, then spots all over metadata and tensors.
    for place in (0..64).chain((64..MODEL.len()).step_by(MODEL.len() / 97)) {
        for mask in [0x01, 0x80, 0xff] {
            bytes[place] ^= mask;
            // Many flips leave a well-formed file; only that we come back counts.
            let _ = load(&bytes);
            bytes[place] ^= mask;
        }
    }
}

#[wasm_bindgen_test]
fn foreign_files_are_refused() {
    for bytes in [&b""[..], b"<!doctype html><title>404</title>", &[0xff; 4096]] {
        assert_eq!(load(bytes).err().expect("no model").kind(), "invalid_model");
    }
}

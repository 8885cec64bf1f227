//! The examples that are neither pages nor in JavaScript; tests/browser/examples.test.mjs has those.

use qwen3_rerank::server::Options;
use serde_json::Value;

use crate::serving::{Serving, keys};

#[cfg(feature = "embedded-model")]
#[path = "../../examples/rerank.rs"]
#[allow(dead_code, reason = "its main function runs as a program only")]
mod rerank;

#[test]
#[cfg(feature = "embedded-model")]
fn the_rust_example_finds_the_capital() {
    let reranker = rerank::load().expect("the checkout has the default model");
    let documents = rerank::DOCUMENTS.map(String::from).into();
    let lines = rerank::rank(&reranker, rerank::QUERY.into(), documents).expect("a ranking");
    assert_eq!(lines.len(), 4);
    assert!(
        lines[0].ends_with("Washington, D.C. is the capital of the United States."),
        "{lines:?}"
    );
}

#[test]
#[cfg(unix)]
fn the_curl_example_gets_the_documented_answer_with_and_without_a_key() {
    for key in [None, Some("k-1")] {
        let mut options = Options::default();
        options.api_key = key.map(String::from);
        let server = Serving::start(options);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/http/rerank.sh");
        let mut curl = assert_cmd::Command::new("sh");
        curl.args([script, &format!("http://{}", server.address)]);
        curl.env_remove("QWEN3_RERANK_API_KEY").env("NO_PROXY", "127.0.0.1");
        if let Some(key) = key {
            curl.env("QWEN3_RERANK_API_KEY", key);
        }
        let output = curl.assert().success().get_output().clone();
        let answer: Value = serde_json::from_slice(&output.stdout).expect("the answer is JSON");
        assert_eq!(keys(&answer), ["model", "query", "results"]);
        let results = answer["results"].as_array().expect("results");
        assert_eq!(results.len(), 2, "{answer}");
        assert!(results.is_sorted_by_key(|result| -result["score"].as_f64().expect("a score")));
    }
}

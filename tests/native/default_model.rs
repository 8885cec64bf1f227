//! The default model: that it ranks everyday questions, and that it is what
//! runs where no model is named.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use qwen3_rerank::EMBEDDED_MODEL;
use qwen3_rerank::{LoadOptions, RerankRequest, Reranker};
use serde::Deserialize;
use serde_json::Value as Json;

static MODEL: LazyLock<Reranker> = LazyLock::new(|| {
    let file = std::io::Cursor::new(EMBEDDED_MODEL.expect("a checkout holds the default model"));
    Reranker::load(file, LoadOptions::default(), &mut |_| {}).expect("the default model loads")
});

/// A query of tests/fixtures/everyday*.json: written by hand before the model's training ended,
/// and never trained on.
#[derive(Deserialize)]
struct Everyday {
    query: String,
    documents: Vec<String>,
    /// Place of the only document that answers.
    relevant: usize,
}

/// Forty queries with four documents each.
fn everyday() -> Vec<Everyday> {
    queries(include_str!("../fixtures/everyday.json"))
}

/// As many, whose wrong documents are about the very subject of the query.
fn everyday_hard() -> Vec<Everyday> {
    queries(include_str!("../fixtures/everyday-hard.json"))
}

/// As many, whose right documents share few words with the query, and a wrong one many.
fn everyday_third() -> Vec<Everyday> {
    queries(include_str!("../fixtures/everyday-third.json"))
}

fn queries(json: &str) -> Vec<Everyday> {
    let queries: Vec<Everyday> = serde_json::from_str(json).expect("the fixture is valid");
    assert_eq!(queries.len(), 40);
    assert!(queries.iter().all(|entry| entry.documents.len() == 4 && entry.relevant < 4));
    queries
}

/// Scores in the order of the documents.
fn scores(query: &str, documents: &[String]) -> Vec<f64> {
    let ranking = MODEL.rerank(&RerankRequest::new(query, documents.to_vec())).expect("a ranking");
    let mut scores = vec![f64::NAN; documents.len()];
    for ranked in &ranking.results {
        scores[ranked.index] = ranked.score.probability;
    }
    scores
}

#[test]
fn as_many_everyday_queries_find_their_answers_as_were_counted() {
    assert_wrong(everyday(), 4);
    assert_wrong(everyday_hard(), 18);
    assert_wrong(everyday_third(), 21);
}

/// Scores are the same bits everywhere, so the number is exact: one fewer is a change too.
fn assert_wrong(queries: Vec<Everyday>, expected: usize) {
    let wrong: Vec<String> = queries
        .into_iter()
        .filter_map(|entry| {
            let scores = scores(&entry.query, &entry.documents);
            let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]))?;
            (best != entry.relevant).then(|| format!("{}: {}", entry.query, entry.documents[best]))
        })
        .collect();
    let found = wrong.len();
    assert_eq!(found, expected, "{found} of 40 wrong, not {expected}:\n{}", wrong.join("\n"));
}

#[test]
fn scores_are_probabilities() {
    let (mut relevant, mut irrelevant) = (Vec::new(), Vec::new());
    for entry in everyday() {
        for (place, score) in scores(&entry.query, &entry.documents).into_iter().enumerate() {
            if place == entry.relevant { relevant.push(score) } else { irrelevant.push(score) }
        }
    }
    let (relevant, irrelevant) = (median(relevant), median(irrelevant));
    assert!(relevant >= 0.6 && irrelevant <= 0.15, "medians {relevant:.3} and {irrelevant:.3}");
}

fn median(mut scores: Vec<f64>) -> f64 {
    scores.sort_by(f64::total_cmp);
    scores[scores.len() / 2]
}

#[test]
fn the_capital_of_the_united_states_is_washington() {
    let seeds: Json =
        serde_json::from_str(include_str!("../fixtures/seeds.json")).expect("the fixture is valid");
    let results = |example: &str| {
        let request = RerankRequest::from_json(&seeds[example]).expect("a request");
        let results = MODEL.rerank(&request).expect("a ranking").results;
        results
            .into_iter()
            .map(|ranked| (request.documents[ranked.index].clone(), ranked.score.probability))
            .collect::<Vec<_>>()
    };
    let is_washington = |document: &str| document.starts_with("Washington, D.C.");
    for example in ["regolo", "onerouter"] {
        let results = results(example);
        assert!(is_washington(&results[0].0), "{results:?}");
        assert!(results[0].1 >= 2.0 * results[1].1, "{results:?}");
    }
}

#[test]
fn it_is_small_and_loads_without_a_name() {
    assert!(EMBEDDED_MODEL.is_some_and(|model| model.len() <= 12_000_000));
    let mut program = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"))
        .env_remove("QWEN3_RERANK_MODEL")
        .args(["rerank", "--query", "What is the capital of France?", "--documents", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let documents = b"Berlin is the capital of Germany.\nParis is the capital of France.\n";
    program.stdin.take().expect("a pipe").write_all(documents).expect("it reads");
    let output = program.wait_with_output().expect("it ends");
    let answer: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["model"], "qwen3-rerank-nano");
    assert_eq!(answer["results"][0]["document"], "Paris is the capital of France.");
}

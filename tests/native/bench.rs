//! `bench`: what it measures, in the form that is documented, and what it refuses.

use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

use crate::model;
use crate::serving::keys;

/// Runs `bench` on the committed model.
fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
    command.arg("bench").arg("--model").arg(model::path()).args(arguments);
    command.output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = bench(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the answer is JSON")
}

#[test]
fn the_answer_has_the_documented_keys() {
    let report = json(&["--json", "--threads", "1", "--documents", "3", "--runs", "2"]);
    let expected = [
        "backend",
        "documents",
        "documents_per_second",
        "evaluated_tokens",
        "kernel_share",
        "load_seconds",
        "model",
        "peak_bytes",
        "prefill_tokens_per_second",
        "prompt_tokens",
        "runs",
        "spread",
        "threads",
        "tokens",
    ];
    assert_eq!(keys(&report), expected);
    for (key, value) in [("threads", 1), ("tokens", 128), ("documents", 3), ("runs", 2)] {
        assert_eq!(report[key], value, "{key}");
    }
    for key in ["load_seconds", "prefill_tokens_per_second", "documents_per_second"] {
        let [least, greatest] = [0, 1].map(|i| report["spread"][key][i].as_f64().unwrap());
        let median = report[key].as_f64().unwrap();
        assert!(0.0 < least && least <= median && median <= greatest, "{key} in {report}");
    }
    let [prompt_tokens, evaluated] = ["prompt_tokens", "evaluated_tokens"].map(|key| &report[key]);
    assert!(prompt_tokens.as_u64().unwrap() > 3 * 128 + 3 * 50, "{report}");
    assert!((3 * 128..3 * 128 + 150).contains(&evaluated.as_u64().unwrap()), "{report}");
    assert!(report["kernel_share"].as_f64().unwrap() > 0.0);
    assert!(!report["backend"].as_str().unwrap().is_empty());
    if cfg!(unix) {
        let model = std::fs::metadata(model::path()).unwrap().len();
        let most = model + model / 4 + (64 << 20);
        let peak = report["peak_bytes"].as_u64().unwrap();
        assert!((model..=most).contains(&peak), "{peak} bytes for a file of {model}");
    }
}

#[test]
fn the_table_names_what_was_measured() {
    let output = bench(&["--threads", "2", "--documents", "1", "--tokens", "99", "--runs", "1"]);
    let table = String::from_utf8(output.stdout).unwrap();
    for line in ["model  ", ", 2 threads\n", "a prompt of 99 tokens", "requests of 1 × 99 tokens"]
    {
        assert!(table.contains(line), "{line} is not in\n{table}");
    }
}

/// What every run reads: fresh texts of exactly the tokens that were asked for.
#[test]
fn texts_have_their_tokens_and_come_once() {
    let texts = json(&["--texts", "--tokens", "90", "--documents", "4", "--runs", "3"]);
    let ids = |request: &Value| -> Vec<usize> {
        let prompts = request["ids"].as_array().unwrap();
        prompts.iter().map(|ids| ids.as_array().unwrap().len()).collect()
    };
    let mut seen = Vec::new();
    for (prompt, request) in
        texts["prompts"].as_array().unwrap().iter().zip(texts["requests"].as_array().unwrap())
    {
        assert_eq!(ids(prompt), [90]);
        let lengths = ids(request);
        assert_eq!(lengths.len(), 4);
        assert!(lengths[0] > 90 + 50 && lengths.iter().all(|length| *length == lengths[0]));
        seen.extend([&prompt["instruction"], &prompt["query"], &request["query"]]);
        seen.extend(request["documents"].as_array().unwrap());
        seen.extend(prompt["documents"].as_array().unwrap());
    }
    assert_eq!(seen.len(), 3 * (3 + 4 + 1));
    for (index, text) in seen.iter().enumerate() {
        assert!(!seen[..index].contains(text), "{text} stands twice");
    }
    assert_eq!(texts, json(&["--texts", "--tokens", "90", "--documents", "4", "--runs", "3"]));
}

#[test]
fn nonsense_is_refused_by_flag_and_limit() {
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--tokens", "0"], 2, "'--tokens <N>': must be a whole number of at least 1"),
        (&["--tokens", "20"], 1, "--tokens 20: a prompt of this model has from "),
        (&["--tokens", "999999999999"], 1, "--tokens 999999999999: a prompt of this model has "),
        (
            &["--tokens", "95", "--max-length", "100"],
            1,
            "--tokens 95: a document of this model has ",
        ),
        (&["--documents", "0"], 2, "'--documents <N>': must be a whole number from 1 to 10000"),
        (&["--documents", "10001"], 2, "'--documents <N>': must be a whole number from 1 to 10000"),
        (&["--runs", "1001"], 2, "'--runs <N>': must be a whole number from 1 to 1000"),
        (&["--runs", "five"], 2, "'--runs <N>': must be a whole number from 1 to 1000"),
        (&["--threads", "0"], 2, "'--threads <N>': must be a whole number from 1 to 1024"),
    ];
    for (arguments, code, said) in cases {
        let output = bench(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

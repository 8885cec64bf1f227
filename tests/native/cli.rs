//! The command line, run as its users run it.

use std::io::{BufRead, BufReader, Write};
use std::process::{self, Stdio};

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::model::{self, read_all};
use crate::serving::keys;

/// The binary with a subcommand and the committed model.
fn command(subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
    command.arg(subcommand).arg("--model").arg(model::path());
    command
}

/// Runs `rerank` with `documents` on stdin.
fn rerank(arguments: &[&str], documents: &str) -> Value {
    let mut command = command("rerank");
    command.args(["--documents", "-"]).args(arguments).write_stdin(documents);
    let output = command.assert().success().get_output().clone();
    serde_json::from_slice(&output.stdout).expect("the answer is JSON")
}

fn regolo(arguments: &[&str]) -> Value {
    let seed = model::regolo();
    let query = seed["query"].as_str().unwrap();
    rerank(&[&["--query", query], arguments].concat(), &seed["documents"].to_string())
}

#[test]
fn the_answer_has_exactly_the_documented_keys_best_first() {
    let answer = regolo(&["--top-n", "3"]);
    assert_eq!(keys(&answer), ["model", "query", "results"]);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    results.iter().for_each(|result| assert_eq!(keys(result), ["document", "score"]));
    assert!(results.is_sorted_by_key(|result| -result["score"].as_f64().unwrap()));
    let all = regolo(&[]);
    assert_eq!(all["results"].as_array().unwrap()[..3], results[..]);
    assert_eq!(regolo(&["--top-n", "99"]), all);
}

#[test]
fn the_v1_form_has_the_same_scores() {
    let documented = regolo(&[]);
    let v1 = regolo(&["--form", "v1"]);
    assert_eq!(keys(&v1), ["id", "model", "results", "usage"]);
    let seed = model::regolo();
    for (a, b) in
        documented["results"].as_array().unwrap().iter().zip(v1["results"].as_array().unwrap())
    {
        assert_eq!(a["score"], b["relevance_score"]);
        assert_eq!(a["document"], b["document"]["text"]);
        assert_eq!(a["document"], seed["documents"][b["index"].as_u64().unwrap() as usize]);
    }
}

#[test]
fn documents_are_json_or_lines_from_a_file_or_stdin() {
    let query = &["--query", "q"][..];
    let lines = rerank(query, "\u{feff}one\n\n  \ntwo words\r\nthree\n");
    assert_eq!(lines, rerank(query, r#"["one", {"text": "two words"}, "three"]"#));
    let objects = r#"{"text": "one"}
        {"text": "two words", "id": 7}
        {"text": "three"}"#;
    assert_eq!(lines, rerank(query, objects));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.txt");
    std::fs::write(&file, "one\ntwo words\nthree").unwrap();
    let output = command("rerank").args(query).arg("--documents").arg(file).output().unwrap();
    assert_eq!(lines, serde_json::from_slice::<Value>(&output.stdout).unwrap());
}

#[test]
fn a_bad_line_among_json_lines_is_refused() {
    let lines = "\n{\"text\": \"Paris\"}\n\n{\"txt\": \"Berlin\"}\n";
    let output = command("rerank")
        .args(["--query", "q", "--documents", "-"])
        .write_stdin(lines)
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.starts_with("error: stdin: line 4: text: is missing"), "{error}");
}

#[test]
fn options_reach_the_model() {
    let plain = regolo(&[]);
    assert_ne!(
        plain["results"],
        regolo(&["--instruction", "Find what is least relevant"])["results"]
    );
    assert_ne!(plain["results"], regolo(&["--max-tokens-per-doc", "3"])["results"]);
    let controls = r#"["a <|im_end|> b"]"#;
    let query = &["--query", "q"][..];
    let as_control = rerank(&[query, &["--control-tokens"]].concat(), controls);
    assert_ne!(rerank(query, controls)["results"], as_control["results"]);
    assert_eq!(plain, regolo(&["--threads", "1"]));
}

#[test]
fn what_was_cut_is_said_on_stderr() {
    let mut command = command("rerank");
    command.args(["--query", "q", "--documents", "-", "--max-tokens-per-doc", "3"]);
    let output = command.write_stdin("a text of more than three tokens").output().unwrap();
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(warning.starts_with("warning: documents[0] was cut"), "{warning}");
}

#[test]
fn score_answers_each_line_in_order() {
    let seed = model::regolo();
    let mut input = String::new();
    for document in seed["documents"].as_array().unwrap() {
        input += &format!("{}\n", json!({"query": seed["query"], "document": document}));
        input +=
            &format!("\n{}\n", json!({"query": "other", "document": document, "instruction": "i"}));
    }
    let output = command("score").write_stdin(input).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 8);
    for result in regolo(&["--form", "v1"])["results"].as_array().unwrap() {
        let line = &lines[2 * result["index"].as_u64().unwrap() as usize];
        assert_eq!(keys(line), ["margin", "score", "tokens", "truncated"]);
        let difference =
            line["score"].as_f64().unwrap() - result["relevance_score"].as_f64().unwrap();
        assert!(difference.abs() < 1e-12, "{line} {result}");
    }
}

#[test]
fn score_keeps_the_answers_before_a_bad_line() {
    let good = r#"{"query": "q", "document": "d"}"#;
    let output =
        command("score").write_stdin(format!("{good}\n{good}\n{{\n{good}\n")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("error: line 3: "), "{error}");
}

#[test]
fn score_says_what_is_wrong_with_a_line() {
    for (line, message) in [
        (r#"["q", "d"]"#, "must be a JSON object"),
        (r#"{"query": "q"}"#, "document: is missing; give a string"),
        (r#"{"query": "q", "document": 7}"#, "document: must be a string, not a number"),
        (r#"{"query": " ", "document": "d"}"#, "query: "),
    ] {
        let output = command("score").write_stdin(format!("\u{feff}{line}\n")).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(&format!("error: line 1: {message}")), "{error}");
    }
}

#[test]
fn score_answers_a_line_before_the_next_one_comes() {
    let mut child = process::Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"))
        .arg("score")
        .arg("--model")
        .arg(model::path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        writeln!(input, r#"{{"query": "q", "document": "d"}}"#).unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with(r#"{"score":"#), "{line}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = process::Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"))
        .arg("score")
        .arg("--model")
        .arg(model::path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    let _ = writeln!(input, r#"{{"query": "q", "document": "d"}}"#);
    drop(input);
    assert_eq!(read_all(child.stderr.take().unwrap()), "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn info_tells_what_the_file_holds() {
    let output = command("info").arg("--json").output().unwrap();
    let info: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(info["head"], "cls.output");
    assert!(
        info["num_hidden_layers"].as_u64().unwrap() > 0
            && info["types"]["F32"].as_u64().unwrap() > 0
    );
    let output = command("info").output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    for line in ["name  ", "architecture  ", "tensors  ", "scoring head    cls.output", "prompt  "]
    {
        assert!(table.contains(line), "{line} is not in\n{table}");
    }
}

/// Where the processor has a faster backend than the scalar one, no type of weights is left to that.
#[test]
fn every_type_has_a_fast_path() {
    let folder = tempfile::tempdir().unwrap();
    let types = [
        "f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k",
        "q5_k", "q6_k",
    ];
    for own in types {
        let file = folder.path().join(own);
        let binary = || Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
        let shape = ["--shape", "tiny", "--hidden", "256", "--ffn", "256", "--layers", "1"];
        binary().arg("random").args(shape).args(["--type", own]).arg(&file).assert().success();
        let output = binary().args(["info", "--json", "--model"]).arg(&file).output().unwrap();
        let info: Value = serde_json::from_slice(&output.stdout).unwrap();
        let runs_on = &info["runs_on"];
        let path = runs_on["paths"][own.to_uppercase()].as_str().unwrap();
        let slow = path.contains("scalar");
        assert_eq!(slow, runs_on["backend"] == "scalar", "{own}: {runs_on}");
    }
}

#[test]
fn random_and_quantize_make_models_that_rerank() {
    let folder = tempfile::tempdir().unwrap();
    let [random, quantized] =
        ["random.gguf", "quantized.gguf"].map(|name| folder.path().join(name));
    let binary = || Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
    binary().args(["random", "--type", "f16", "--seed", "7"]).arg(&random).assert().success();
    let mut quantize = binary();
    quantize.arg("quantize").arg("--from").arg(&random).args(["--type", "q8_0"]).arg(&quantized);
    quantize.assert().success();
    for file in [random, quantized] {
        let mut command = binary();
        command.args(["rerank", "--query", "q", "--documents", "-", "--model"]).arg(file);
        command.write_stdin("a\nb").assert().success();
    }
}

#[test]
fn help_shows_examples() {
    for (subcommand, example) in [
        ("--help", "serve --model model.gguf"),
        ("rerank", "--top-n 3"),
        ("score", "echo '{\"query\""),
        ("eval", "--data scifact"),
        ("serve", "curl http://127.0.0.1:8080/rerank"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
        let output = command.args([subcommand, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains(example), "{help}");
    }
}

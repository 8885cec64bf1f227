//! The forms of documents that `rerank` and `score` take or refuse.

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::model;

/// Runs `rerank` or `score` on stdin; its exit code, what it printed, and what it said on stderr.
fn run(subcommand: &str, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
    command.arg(subcommand).arg("--model").arg(model::path()).args(arguments);
    let output = command.write_stdin(input).output().unwrap();
    let [printed, said] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code().unwrap(), printed, said)
}

/// The documents that `rerank` scored, in their order in the input, and what it said.
fn documents(arguments: &[&str], input: &str) -> (Vec<String>, String) {
    let arguments = [&["--query", "q", "--documents", "-", "--form", "v1"], arguments].concat();
    let (code, printed, said) = run("rerank", &arguments, input);
    assert_eq!(code, 0, "{input}: {said}");
    let answer: Value = serde_json::from_str(&printed).unwrap();
    let mut results = answer["results"].as_array().unwrap().clone();
    results.sort_by_key(|result| result["index"].as_u64());
    let text = |result: &Value| result["document"]["text"].as_str().unwrap().to_string();
    (results.iter().map(text).collect(), said)
}

/// What `rerank` says when it refuses its input.
fn refusal(arguments: &[&str], input: &str) -> String {
    let arguments = [&["--query", "q", "--documents", "-"], arguments].concat();
    let (code, printed, said) = run("rerank", &arguments, input);
    assert_eq!((code, &*printed), (1, ""), "{input}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn json_is_understood_however_it_is_laid_out() {
    for input in [
        "[\"one\", {\"text\": \"two\"}]",
        "\u{feff}\n[\n  \"one\",\n  {\n    \"text\": \"two\"\n  }\n]\n",
        "{\"text\": \"one\"}\n\n{\"text\": \"two\"}\n",
        "{\n  \"text\": \"one\"\n}\n{\n  \"text\": \"two\"\n}\n",
        "{\"text\": \"one\"}{\"text\": \"two\"}",
        "\"one\"\n\"two\"\n",
    ] {
        assert_eq!(
            documents(&[], input),
            (vec!["one".into(), "two".into()], String::new()),
            "{input}"
        );
    }
    assert_eq!(documents(&[], "{\n \"text\": \"one\"\n}").0, ["one"]);
}

#[test]
fn lines_of_text_may_look_like_json() {
    for input in [
        "[1] a note\n[2] another\n",
        "[ ] buy milk\n[x] done\n",
        "\"quoted\" text\nmore",
        "\"a\"\nb",
    ] {
        let expected: Vec<String> = input.lines().map(str::to_string).collect();
        assert_eq!(documents(&[], input).0, expected, "{input}");
    }
    let braces = "{a: 1}\n{\"text\": \"b\"}";
    assert_eq!(documents(&["--plain"], braces).0, ["{a: 1}", "{\"text\": \"b\"}"]);
    assert_eq!(documents(&["--plain"], "[\"a\"]").0, ["[\"a\"]"]);
}

#[test]
fn json_that_is_no_list_of_documents_is_refused_with_what_to_do() {
    for (input, message) in [
        (r#"{"content": "Paris"}"#, "stdin: line 1: text: is missing or not a string;"),
        ("{\"text\": \"a\"}\n{\"body\": \"b\"}", "stdin: line 2: text: is missing"),
        (r#"{"contents": "Paris"}"#, "or has fields that rank_fields names; its fields: contents"),
        (
            r#"{"query": "q", "documents": ["a"]}"#,
            "stdin: holds a whole request; --documents takes its array alone, as `jq .documents` prints it",
        ),
        ("{\n \"texts\": [\"a\"],\n \"query\": \"q\"\n}", "`jq .texts` prints it"),
        (
            "{name: Paris}",
            "stdin: starts with { but is not JSON: key must be a string at line 1 column 2; give --plain",
        ),
        (
            "{\"text\": \"a\"}\nplain",
            "stdin: starts with { but is not JSON: expected value at line 2",
        ),
        (
            "[{\"text\": \"a\"},\n {\"text\": \"b\"]",
            "stdin: starts with [ but is not a JSON array: ",
        ),
        ("[1, 2]", "stdin: documents[0]: must be a string"),
        ("{\"text\": \"a\"} 7", "stdin: line 1: document: must be a string, not a number"),
        ("[{\"text\": \"a\", \"text\": \"b\"}]", "\"text\" stands twice in an object"),
    ] {
        let error = refusal(&[], input);
        assert!(error.contains(message), "{input}: {error}");
    }
    let error = refusal(&["--rank-fields", "title"], "{\"text\": \"a\"}");
    assert!(
        error.contains("line 1: document: has no field that rank_fields names: title"),
        "{error}"
    );
}

#[test]
fn half_of_a_surrogate_pair_is_read_in_every_form() {
    for input in [r#"["cut \ud83d"]"#, r#"{"text": "cut \ud83d"}"#, r#""cut \uDE00""#] {
        assert_eq!(documents(&[], input).0, ["cut \u{fffd}"], "{input}");
    }
    let line = r#"{"query": "q \ud83d", "document": "cut \ud83d"}"#;
    let replaced = json!({"query": "q \u{fffd}", "document": "cut \u{fffd}"}).to_string();
    let (code, printed, said) = run("score", &[], line);
    assert_eq!((code, &*said), (0, ""));
    assert_eq!(printed, run("score", &[], &replaced).1);
}

#[test]
fn rank_fields_are_scored_and_other_text_is_told() {
    let input =
        "{\"text\": \"b\", \"title\": \"a\", \"id\": \"7\"}\n{\"text\": \"d\", \"title\": \"c\"}";
    let (texts, said) = documents(&["--rank-fields", "title,text"], input);
    assert_eq!((texts, &*said), (vec!["title: a\ntext: b".into(), "title: c\ntext: d".into()], ""));
    let (texts, said) = documents(&[], input);
    assert_eq!(texts, ["b", "d"]);
    assert_eq!(said, "warning: title is not used; name it in rank_fields to score it\n");
}

#[test]
fn texts_may_begin_with_a_hyphen() {
    let answer = |query: &str, instruction: &str| {
        let arguments = ["--query", query, "--instruction", instruction, "--documents", "-"];
        let (code, printed, said) = run("rerank", &arguments, "one\ntwo");
        assert_eq!(code, 0, "{said}");
        serde_json::from_str::<Value>(&printed).unwrap()
    };
    assert_eq!(answer("-5 degrees", "-1")["query"], "-5 degrees");
    assert_eq!(answer("--documents", "--query")["query"], "--documents");
}

#[test]
fn raw_scores_are_the_margins_that_score_gives() {
    let line = json!({"query": "q", "document": "d"}).to_string();
    let scored: Value = serde_json::from_str(&run("score", &[], &line).1).unwrap();
    let arguments = ["--query", "q", "--documents", "-", "--raw-scores"];
    let answer: Value = serde_json::from_str(&run("rerank", &arguments, "d").1).unwrap();
    let [raw, margin] =
        [&answer["results"][0]["score"], &scored["margin"]].map(|number| number.as_f64().unwrap());
    assert_eq!(raw as f32, margin as f32);
    assert!(margin < 0.0, "not a probability");
}

#[test]
fn score_takes_the_options_of_a_request() {
    let score = |line: Value| {
        let (code, printed, said) = run("score", &[], &line.to_string());
        assert_eq!((code, &*said), (0, ""), "{line}");
        printed
    };
    let plain = score(json!({"query": "q", "document": "one two three four"}));
    let of_fields = json!({"query": "q", "document": {"a": "one two three four", "b": "x"}, "rank_fields": ["a"]});
    assert_eq!(plain, score(of_fields));
    assert_eq!(
        plain,
        score(json!({"query": "q", "document": {"text": "one two three four"}, "id": "7"}))
    );
    let instruction = score(json!({"query": "q", "document": "d", "instruction": "i"}));
    assert_eq!(instruction, score(json!({"query": "q", "document": "d", "instruct": "i"})));
    let arguments =
        json!({"query": "q", "document": "d", "chat_template_kwargs": {"instruction": "i"}});
    assert_eq!(instruction, score(arguments));
}

#[test]
fn score_tells_or_refuses_what_it_does_not_use() {
    let line =
        json!({"query": "q", "document": "d", "title": "t", "max_chunks_per_doc": 1}).to_string();
    let (code, printed, said) = run("score", &[], &format!("{line}\n{line}\n"));
    assert_eq!((code, printed.lines().count()), (0, 2), "{said}");
    let expected = "warning: line 1: max_chunks_per_doc is not used; a document is scored as one text, cut to fit\n\
        warning: line 1: title is not used; the texts of a line are query, document and instruction\n";
    assert_eq!(said, expected);
    for (line, message) in [
        (
            json!({"query": "q", "documents": ["d"]}),
            "error: line 1: documents: is not taken; a line has one query and one document",
        ),
        (
            json!({"query": "q", "document": {"body": "d"}}),
            "error: line 1: document.text: is missing",
        ),
        (json!({"query": "q", "text": "d"}), "error: line 1: document: is missing; give a string"),
    ] {
        let (code, _, said) = run("score", &[], &line.to_string());
        assert_eq!(code, 1);
        assert!(said.starts_with(message), "{said}");
    }
    let (_, _, said) = run("score", &[], r#"{"query": "q", "query": "r", "document": "d"}"#);
    assert!(
        said.starts_with("error: line 1: not JSON: \"query\" stands twice in an object at column"),
        "{said}"
    );
}

//! A model file's own prompt template: used, shown, and refused where it cannot be.

use std::io::Cursor;

use assert_cmd::Command;
use qwen3_rerank::gguf::Value;
use qwen3_rerank::prompt::template;
use qwen3_rerank::{LoadOptions, RerankRequest, Reranker};

use crate::model::{self, Parts};

const KEY: &str = "tokenizer.chat_template.rerank";
const OWN: &str = "<|im_start|>Text: {document}<|im_end|>\nQuestion: {query}\nRelevant:<think>";

fn parts(template: &str) -> Parts {
    let mut parts = Parts::committed();
    *parts.value(KEY) = Value::String(template.into());
    parts
}

fn load(template: &str) -> Reranker {
    model::load(&parts(template).to_bytes()).unwrap()
}

fn margins(reranker: &Reranker, request: &RerankRequest) -> Vec<f32> {
    let mut results = reranker.rerank(request).unwrap().results;
    results.sort_by_key(|ranked| ranked.index);
    results.iter().map(|ranked| ranked.score.margin).collect()
}

fn request() -> RerankRequest {
    let documents = ["Paris is in France", "cats", "dogs"].map(String::from);
    RerankRequest::new("where is Paris?", documents.to_vec())
}

#[test]
fn the_official_template_scores_the_same_from_the_file_and_without_it() {
    let committed = model::load(model::bytes()).unwrap();
    let expected = margins(&committed, &request());
    let mut parts = Parts::committed();
    parts.metadata.retain(|(key, _)| key != KEY);
    let without = model::load(&parts.to_bytes()).unwrap();
    assert_eq!(margins(&without, &request()), expected);
    let open = template::text().replace(template::DEFAULT_INSTRUCTION, "{{ instruction }}");
    let jinja = load(&open);
    assert_eq!(margins(&jinja, &request()), expected);
    for reranker in [&committed, &without, &jinja] {
        assert_eq!(reranker.template().own_text(), None);
        let mut request = request();
        request.instruction = Some("Find towns".into());
        assert_ne!(margins(reranker, &request), expected, "the instruction counts");
    }
}

#[test]
fn a_files_own_template_is_its_prompt() {
    let own = load(OWN);
    assert_eq!(own.template().own_text(), Some(OWN));
    // The same prompts by a template with the query written out; what its query is for is at the end.
    let twin = load(&OWN.replace("{query}", "where is Paris?").replace("<think>", "{query}"));
    let mut other = request();
    other.query = "<think>".into();
    other.control_tokens = true;
    assert_eq!(margins(&own, &request()), margins(&twin, &other));
    assert_ne!(
        margins(&own, &request()),
        margins(&model::load(model::bytes()).unwrap(), &request())
    );
    let alone = request()
        .documents
        .into_iter()
        .map(|document| margins(&own, &RerankRequest::new("where is Paris?", vec![document]))[0]);
    assert_eq!(alone.collect::<Vec<_>>(), margins(&own, &request()));
}

#[test]
fn a_long_document_is_cut_within_a_files_own_template() {
    let mut options = LoadOptions::default();
    options.max_length = 200;
    let file = Cursor::new(parts(OWN).to_bytes());
    let own = Reranker::load(file, options, &mut |_| {}).unwrap();
    let long = RerankRequest::new("q", vec!["word ".repeat(900)]);
    let score = own.rerank(&long).unwrap().results[0].score;
    assert_eq!((score.tokens, score.truncated), (200, true));
}

#[test]
fn an_instruction_that_a_template_has_no_place_for_is_refused() {
    let mut request = request();
    request.instruction = Some("Find towns".into());
    let error = load(OWN).rerank(&request).unwrap_err();
    assert_eq!(error.field(), Some("instruction"), "{error}");
}

#[test]
fn a_template_with_statements_is_refused() {
    let parts = parts("{% for m in messages %}{{ m }}{% endfor %}");
    let error = model::load(&parts.to_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), "unsupported_model");
    assert!(error.to_string().contains("Jinja statement {% for m in messages %}"), "{error}");
}

#[test]
fn info_shows_which_template_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.gguf");
    std::fs::write(&file, parts(OWN).to_bytes()).unwrap();
    let info = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
        let output = command.arg("info").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let own = ["--model", file.to_str().unwrap()];
    let table = info(&own);
    assert!(table.contains("the file's own template, which takes no instruction:"), "{table}");
    assert!(table.contains("Question: {query}\n"), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&info(&[&own[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["template"]["official"], false);
    assert_eq!(json["template"]["text"], OWN);
    let json: serde_json::Value = serde_json::from_str(&info(&["--json"])).unwrap();
    assert_eq!(json["template"]["official"], true);
    assert!(json["template"]["text"].as_str().unwrap().contains("{instruction}\n<Query>: {query}"));
}

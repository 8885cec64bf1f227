//! `eval` and its metrics, against what trec_eval says of the same rankings
//! (tests/fixtures/beir/reference.py).

mod broken;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use qwen3_rerank::eval::metrics::Metrics;
use serde_json::Value;
use tempfile::TempDir;

use crate::model;
use crate::serving::keys;

type Grades = HashMap<String, i32>;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/beir").join(name)
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("the file can be read")
}

fn expected() -> Value {
    serde_json::from_str(&read(fixture("expected.json"))).expect("the fixture is JSON")
}

/// Equal but for the last bits: a mean may be summed in another order.
fn assert_close(found: &Value, expected: &Value) {
    for name in ["ndcg_at_10", "mrr_at_10", "map"] {
        let [a, b] = [found, expected].map(|figures| figures[name].as_f64().expect("a figure"));
        assert!((a - b).abs() < 1e-12, "{name}: {a}, not {b}");
    }
}

/// The metrics of `ranking` as JSON, null if nothing is relevant.
fn metrics<'a>(ranking: impl Iterator<Item = &'a str>, judged: &Grades) -> Value {
    let ranked: Vec<i32> = ranking.map(|id| judged.get(id).copied().unwrap_or(0)).collect();
    let judged: Vec<i32> = judged.values().copied().collect();
    serde_json::to_value(Metrics::of(&ranked, &judged)).unwrap()
}

#[test]
fn metrics_of_random_rankings_are_trec_evals() {
    let expected = expected();
    let cases = expected["random"].as_array().unwrap();
    assert_eq!(cases.len(), 60);
    for case in cases {
        let judged: Grades = serde_json::from_value(case["judged"].clone()).unwrap();
        let ranking = case["ranking"].as_array().unwrap().iter().map(|id| id.as_str().unwrap());
        assert_close(&metrics(ranking, &judged), case);
    }
}

#[test]
fn metrics_of_the_committed_runs_are_trec_evals() {
    let mut judged: HashMap<String, Grades> = HashMap::new();
    for line in read(fixture("qrels/test.tsv")).lines().skip(1) {
        let [query, document, grade] = fields(line, '\t');
        let grade = grade.parse().unwrap();
        judged.entry(query.into()).or_default().insert(document.into(), grade);
    }
    let expected = expected();
    for name in ["bm25", "rerank"] {
        let run = read(fixture(&format!("runs/{name}.run")));
        let mut queries = 0;
        for (query, judged) in &judged {
            let lines = run.lines().map(|line| fields::<6>(line, ' '));
            let ranking = lines.filter(|line| line[0] == query).map(|line| line[2]);
            let found = metrics(ranking, judged);
            let expected = &expected[name]["queries"][query];
            assert_eq!(found.is_null(), expected.is_null(), "{query}");
            if !found.is_null() {
                assert_close(&found, expected);
                queries += 1;
            }
        }
        assert_eq!(queries, 7);
    }
}

fn fields<const N: usize>(line: &str, separator: char) -> [&str; N] {
    let fields: Vec<&str> = line.split(separator).collect();
    fields.try_into().expect("the line has its fields")
}

#[test]
fn nothing_relevant_leaves_metrics_undefined() {
    assert_eq!(Metrics::of(&[0, 0], &[0, -1]), None);
    assert_eq!(Metrics::of(&[], &[]), None);
    assert_eq!(Metrics::of(&[], &[1]), Some(Metrics::default()));
    assert_eq!(Metrics::mean(&[]), Metrics::default());
}

/// `eval` with the committed model.
fn eval(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
    command.arg("eval").arg("--model").arg(model::path()).arg("--data").arg(data).args(arguments);
    command
}

/// The answer, and what was said on stderr.
fn json(data: &Path, arguments: &[&str]) -> (Value, String) {
    let output = eval(data, &[&["--json"], arguments].concat()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}")), said)
}

#[test]
fn figures_and_runs_of_the_fixture_are_those_that_trec_eval_saw() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("made/for/them");
    let (report, said) = json(&fixture(""), &["--runs", runs.to_str().unwrap()]);
    let names = [
        "bm25",
        "data",
        "documents",
        "model",
        "queries",
        "queries_left_out",
        "rerank",
        "seconds",
        "split",
        "top",
    ];
    assert_eq!(keys(&report), names);
    assert_eq!((&report["split"], &report["top"]), (&"test".into(), &100.into()));
    assert_eq!((&report["queries"], &report["queries_left_out"]), (&7.into(), &1.into()));
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    assert!(
        said.contains("qrels/test.tsv: judged documents that corpus.jsonl lacks, which count as never found: 1"),
        "{said}"
    );
    let mut lines = 0;
    for name in ["bm25", "rerank"] {
        assert_eq!(keys(&report[name]), ["map", "mrr_at_10", "ndcg_at_10"]);
        assert_close(&report[name], &expected()[name]["mean"]);
        let file = format!("{name}.run");
        let run = read(runs.join(&file));
        assert_eq!(run, read(fixture("runs").join(&file)), "{file}");
        lines = run.lines().count();
    }
    assert_eq!(report["documents"], lines);
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 2, "no other file is left");
}

#[test]
fn the_fixture_has_the_cases_that_it_is_for() {
    let run = read(fixture("runs/bm25.run"));
    assert!(run.contains("q4 Q0") && !run.contains("q4 Q0 d19"), "q4's document is not found");
    assert!(!run.contains("q5 Q0"), "nothing is relevant to q5");
    assert!(run.contains("q8 Q0") && !run.contains("q8 Q0 q8"), "q8 does not find itself");
    assert!(!run.contains("q9 Q0"), "q9 is of another split");
}

#[test]
fn the_table_has_the_same_figures() {
    let output = eval(&fixture(""), &["--threads", "1"]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let expected = expected();
    for (row, name) in [("BM25", "bm25"), ("reranked", "rerank")] {
        let line = table.lines().find(|line| line.starts_with(&format!("{row}  "))).unwrap();
        let figure = |key| format!("{:.4}", expected[name]["mean"][key].as_f64().unwrap());
        let figures: Vec<&str> = line.split_whitespace().skip(1).collect();
        assert_eq!(figures, ["ndcg_at_10", "mrr_at_10", "map"].map(figure), "{table}");
    }
    assert!(table.contains("7, 1 more without relevant documents left out"), "{table}");
}

#[test]
fn options_have_their_effect() {
    let (all, _) = json(&fixture(""), &[]);
    let (few, _) = json(&fixture(""), &["--top", "2", "--limit", "3"]);
    assert_eq!((&few["queries"], &few["documents"]), (&3.into(), &6.into()));
    let (first, _) = json(&fixture(""), &["--top", "1"]);
    assert_eq!(first["bm25"], first["rerank"], "one candidate has one order");
    let (dev, said) = json(&fixture(""), &["--split", "dev"]);
    assert_eq!((&dev["queries"], &dev["queries_left_out"]), (&2.into(), &0.into()));
    assert_eq!(said, "");
    let (other, _) = json(&fixture(""), &["--instruction", "Find what is least relevant"]);
    assert_eq!(all["bm25"], other["bm25"]);
    assert_ne!(all["rerank"], other["rerank"]);
    let (_, said) = json(&fixture(""), &["--split", "dev", "--max-length", "100"]);
    assert!(said.contains(" documents were cut to fit"), "{said}");
}

const CORPUS: &str = concat!(
    r#"{"_id": "d1", "title": "Cats", "text": "purr", "metadata": {"url": 1}}"#,
    "\r\n\n",
    r#"{"_id": "d 2", "title": null, "text": "dogs bark"}"#,
);
const QUERIES: &str = concat!(
    r#"{"_id": "q1", "text": "cats"}"#,
    "\n",
    r#"{"_id": "q\"2", "text": "elephant"}"#,
    "\n"
);
const QRELS: &str = "query-id\tcorpus-id\tscore\r\nq1\td1\t0\nq1\td1\t1\n\"q\"\"2\"\td 2\t1\n";

/// A folder in BEIR's form, as some tools write it.
fn small() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("qrels")).unwrap();
    for (name, content) in
        [("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES), ("qrels/test.tsv", QRELS)]
    {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

#[test]
fn a_query_for_which_bm25_finds_nothing_stays_in_the_mean() {
    let (report, said) = json(small().path(), &[]);
    assert_eq!((&report["queries"], &report["documents"]), (&2.into(), &1.into()), "{said}");
    for name in ["bm25", "rerank"] {
        assert_eq!(report[name]["ndcg_at_10"], 0.5);
        assert_eq!(report[name]["mrr_at_10"], 0.5);
        assert_eq!(report[name]["map"], 0.5);
    }
}

#[test]
fn a_relevant_document_that_is_passed_over_is_told() {
    let folder = small();
    for name in ["corpus.jsonl", "qrels/test.tsv"] {
        let path = folder.path().join(name);
        fs::write(&path, read(&path).replace("d1", "q1")).unwrap();
    }
    let (_, said) = json(folder.path(), &[]);
    let warning =
        "relevant documents with their query's own id, which are passed over as in BEIR: 1";
    assert!(said.contains(warning), "{said}");
}

#[test]
fn text_that_is_not_used_is_told_and_half_surrogates_are_read() {
    let folder = small();
    let corpus = concat!(
        r#"{"_id": "d1", "title": "Cats", "text": "purr \ud83d", "url": "u", "abstract": "a"}"#,
        "\n",
        r#"{"_id": "d 2", "text": "dogs bark", "url": "v", "metadata": {"url": "w"}}"#,
    );
    fs::write(folder.path().join("corpus.jsonl"), corpus).unwrap();
    let queries =
        QUERIES.replace("\"text\": \"cats\"", r#""text": "cats \uDE00", "narrative": "n""#);
    fs::write(folder.path().join("queries.jsonl"), queries).unwrap();
    let (report, said) = json(folder.path(), &[]);
    assert_eq!(report["documents"], 1);
    let told: Vec<&str> = said.lines().map(|line| line.rsplit('/').next().unwrap()).collect();
    let expected = [
        "queries.jsonl: narrative is not used; lines with it: 1",
        "corpus.jsonl: abstract is not used; lines with it: 1",
        "corpus.jsonl: url is not used; lines with it: 2",
    ];
    assert_eq!(told, expected, "{said}");
}

//! Folders and arguments that `eval` must refuse.

use std::fs;
use std::path::Path;

use super::{QRELS, eval, fixture, small};

/// A broken folder: the file of [`small`] that is another, its content (none if it is missing),
/// what stderr must say after the folder's name.
type Broken = (&'static str, Option<&'static [u8]>, &'static str);

#[rustfmt::skip]
const BROKEN: &[Broken] = &[
    ("corpus.jsonl", None, "/corpus.jsonl: is missing; a folder in BEIR's form has corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv"),
    ("queries.jsonl", None, "/queries.jsonl: is missing"),
    ("qrels/test.tsv", None, "/qrels; there are: no file.tsv"),
    ("corpus.jsonl", Some(b""), "/corpus.jsonl: is empty"),
    ("corpus.jsonl", Some(b"\n \n"), "/corpus.jsonl: is empty"),
    ("corpus.jsonl", Some(b"\n{\"_id\": \"d1\"\n"), "/corpus.jsonl: line 2: not JSON: EOF while parsing an object at column 12"),
    ("corpus.jsonl", Some(b"[]"), "/corpus.jsonl: line 1: must be a JSON object"),
    ("corpus.jsonl", Some(b"{\"_id\": \"\xff\"}"), "/corpus.jsonl: line 1: not JSON: not UTF-8 text, at byte 9"),
    ("corpus.jsonl", Some(br#"{"_id": "a", "text": "t", "_id": "b"}"#), "/corpus.jsonl: line 1: not JSON: \"_id\" stands twice in an object at column "),
    ("corpus.jsonl", Some(br#"{"text": "t"}"#), "/corpus.jsonl: line 1: _id: is missing; give a string"),
    ("corpus.jsonl", Some(br#"{"_id": "", "text": "t"}"#), "/corpus.jsonl: line 1: _id: is empty"),
    ("corpus.jsonl", Some(br#"{"_id": 7, "text": "t"}"#), "/corpus.jsonl: line 1: _id: must be a string, not a number"),
    ("corpus.jsonl", Some(br#"{"_id": "d1"}"#), "/corpus.jsonl: line 1: text: is missing; give a string"),
    ("corpus.jsonl", Some(br#"{"_id": "d1", "title": [], "text": "t"}"#), "/corpus.jsonl: line 1: title: must be a string, not an array"),
    ("corpus.jsonl", Some(b"{\"_id\": \"d\", \"text\": \"t\"}\n\n{\"_id\": \"d\", \"text\": \"t\"}"), "/corpus.jsonl: line 3: _id: \"d\" stands on line 1 already"),
    ("queries.jsonl", Some(b"{\"_id\": \"q1\", \"text\": \"t\"}\n{\"_id\": \"q1\", \"text\": \"t\"}"), "/queries.jsonl: line 2: _id: \"q1\" stands on line 1 already"),
    ("queries.jsonl", Some(br#"{"_id": "q1"}"#), "/queries.jsonl: line 1: text: is missing"),
    ("queries.jsonl", Some(br#"{"_id": "q1", "text": " "}"#), "/queries.jsonl: line 1: text: is empty"),
    ("qrels/test.tsv", Some(b""), "/qrels/test.tsv: has no score above 0, so nothing is relevant"),
    ("qrels/test.tsv", Some(b"query-id\tcorpus-id\tscore\nq1\td1\t0\n"), "/qrels/test.tsv: has no score above 0"),
    ("qrels/test.tsv", Some(b"q1\td1\t1\n"), "/qrels/test.tsv: line 1: must be the header, query-id, corpus-id and score"),
    ("qrels/test.tsv", Some(b"\nq1\td1\t3.0\nq1\td1\t1\n"), "/qrels/test.tsv: line 2: must be the header, query-id, corpus-id and score"),
    ("qrels/test.tsv", Some(b"corpus-id\tquery-id\tscore\nd1\tq1\t1\n"), "/qrels/test.tsv: line 1: must be the header, query-id, corpus-id and score"),
    ("qrels/test.tsv", Some(b"query-id\tcorpus-id\tscore\nq1 d1 1\n"), "/qrels/test.tsv: line 2: has 1 fields; must be query-id, corpus-id and score with tabs between"),
    ("qrels/test.tsv", Some(b"query-id\tcorpus-id\tscore\nq1\t0\td1\t1\n"), "/qrels/test.tsv: line 2: has 4 fields"),
    ("qrels/test.tsv", Some(b"query-id\tcorpus-id\tscore\n\nq1\td1\t0.5\n"), "/qrels/test.tsv: line 3: score: \"0.5\" is not a whole number"),
    ("qrels/test.tsv", Some(b"query-id\tcorpus-id\tscore\nq1\td1\t9999999999\n"), "/qrels/test.tsv: line 2: score: \"9999999999\" is not a whole number of 32 bits"),
    ("qrels/test.tsv", Some(b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq9\td1\t1\n"), "/qrels/test.tsv: line 3: query-id: \"q9\" is not in queries.jsonl"),
    ("qrels/test.tsv", Some(b"query-id\tcorpus-id\tscore\r\nq1\t\xff\t1\n"), "/qrels/test.tsv: line 2: not UTF-8 text"),
];

/// What `eval` says on a folder that it refuses.
fn refusal(data: &Path, arguments: &[&str], code: i32) -> String {
    let output = eval(data, arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(output.stdout.is_empty() && !error.contains("panicked"), "{error}");
    assert!(code == 2 || (error.starts_with("error: ") && error.lines().count() == 1), "{error}");
    error
}

#[test]
fn broken_folders_are_refused_with_file_line_and_field() {
    for &(name, content, message) in BROKEN {
        let folder = small();
        let path = folder.path().join(name);
        match content {
            Some(content) => fs::write(path, content).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        let error = refusal(folder.path(), &[], 1);
        let expected = format!("{}{message}", folder.path().display());
        assert!(error.contains(&expected), "{error} does not say {expected}");
    }
}

#[test]
fn lines_have_a_limit() {
    let folder = small();
    let path = folder.path().join("qrels/test.tsv");
    fs::write(&path, vec![b'q'; (32 << 20) + 1]).unwrap();
    let error = refusal(folder.path(), &[], 1);
    assert!(error.contains("/qrels/test.tsv: line 1: is over the limit of 32 MiB"), "{error}");
}

#[test]
#[cfg(unix)]
fn what_is_out_of_reach_is_not_called_missing() {
    let folder = small();
    for name in ["corpus.jsonl", "qrels/test.tsv"] {
        let path = folder.path().join(name);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let error = refusal(folder.path(), &[], 1);
        assert!(error.contains(&format!("{}: ", path.display())), "{error}");
        assert!(!error.contains("is missing"), "{error}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "{\"_id\": \"d1\", \"text\": \"t\"}").unwrap();
    }
}

#[test]
fn runs_that_cannot_be_written_are_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("rerank.run")).unwrap();
    let runs = folder.path().to_str().unwrap();
    let error = refusal(&fixture(""), &["--split", "dev", "--runs", runs], 1);
    assert!(error.contains("/rerank.run: is there already, and not a regular file"), "{error}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn broken_arguments_are_refused() {
    let folder = small();
    let data = folder.path();
    fs::write(data.join("qrels/dev.tsv"), QRELS).unwrap();
    for (arguments, code, message) in [
        (&["--top", "0"][..], 2, "must be a whole number from 1 to 10000"),
        (&["--top", "10001"], 2, "must be a whole number from 1 to 10000"),
        (&["--limit", "0"], 2, "must be a whole number of at least 1"),
        (&["--split", "train"], 1, "--split train: there is none in "),
        (&["--split", "train"], 1, "/qrels; there are: dev, test\n"),
        (&["--runs", "runs"], 1, "--runs: the _id \"d 2\" holds white space"),
    ] {
        let error = refusal(data, arguments, code);
        assert!(error.contains(message), "{error}");
    }
    assert!(!Path::new("runs").exists());
    assert!(refusal(&data.join("nothing"), &[], 1).contains("/nothing: no such folder"));
    fs::remove_dir_all(data.join("qrels")).unwrap();
    assert!(refusal(data, &[], 1).contains("/qrels: No such file"));
    let file = data.join("corpus.jsonl");
    assert!(refusal(&file, &[], 1).contains("corpus.jsonl: no such folder"));
    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(empty.path(), &[], 1).contains("/corpus.jsonl: is missing"));
    let runs = file.to_str().unwrap();
    let arguments = ["--split", "dev", "--runs", runs];
    assert!(refusal(&fixture(""), &arguments, 1).contains("corpus.jsonl: File exists"));
    let arguments = ["--split", "dev", "--max-length", "80"];
    assert!(refusal(&fixture(""), &arguments, 1).contains("the query \"q1\": query: is too long"));
}

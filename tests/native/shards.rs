//! Split models: files that are one model together, found by name or handed over in any order.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use qwen3_rerank::convert::quantize;
use qwen3_rerank::convert::random::FileType;
use qwen3_rerank::gguf::{Value, open_shards};
use qwen3_rerank::{LoadOptions, RerankRequest, Reranker, Result};

use crate::model::{self, Parts};

/// The committed model in `count` files, as gguf-split writes them: the first has all metadata, and
/// tensors go to files in turn.
fn shards(count: usize) -> Vec<Parts> {
    let whole = Parts::committed();
    let total = whole.tensors.len();
    let mut shards = vec![Parts { metadata: Vec::new(), tensors: Vec::new() }; count];
    shards[0].metadata = whole.metadata;
    for (number, shard) in shards.iter_mut().enumerate() {
        shard.metadata.push(("split.no".into(), Value::U16(number as u16)));
        shard.metadata.push(("split.count".into(), Value::U16(count as u16)));
        shard.metadata.push(("split.tensors.count".into(), Value::I32(total as i32)));
    }
    for (i, tensor) in whole.tensors.into_iter().enumerate() {
        shards[i % count].tensors.push(tensor);
    }
    shards
}

fn load(shards: &[Parts]) -> Result<Reranker> {
    let files = shards.iter().map(|shard| Cursor::new(shard.to_bytes())).collect();
    Reranker::load_shards(files, LoadOptions::default(), &mut |_| {})
}

fn refusal(shards: &[Parts]) -> String {
    load(shards).map(|_| ()).unwrap_err().to_string()
}

fn margins(reranker: &Reranker) -> Vec<f32> {
    let documents = ["Paris", "Berlin"].map(String::from).to_vec();
    let ranking = reranker.rerank(&RerankRequest::new("capital of France", documents)).unwrap();
    ranking.results.iter().map(|ranked| ranked.score.margin).collect()
}

/// Writes shards under their names; gives the path of each.
fn write(folder: &Path, shards: &[Parts]) -> Vec<PathBuf> {
    let count = shards.len();
    let path = |number: usize| folder.join(format!("m-{number:05}-of-{count:05}.gguf"));
    let paths: Vec<_> = (1..=count).map(path).collect();
    for (path, shard) in paths.iter().zip(shards) {
        fs::write(path, shard.to_bytes()).unwrap();
    }
    paths
}

#[test]
fn a_split_model_scores_as_the_whole_in_any_order_of_its_files() {
    let whole = model::load(model::bytes()).unwrap();
    let mut three = shards(3);
    for _ in 0..3 {
        three.rotate_left(1);
        let split = load(&three).unwrap();
        assert_eq!(margins(&split), margins(&whole));
        assert_eq!(split.info().types, whole.info().types);
        assert_eq!(split.info().parameters, whole.info().parameters);
        let size: usize = three.iter().map(|shard| shard.to_bytes().len()).sum();
        assert_eq!(split.info().file_size, size as u64);
    }
    // One file may state that it is all of them.
    assert_eq!(margins(&load(&shards(1)).unwrap()), margins(&whole));
}

#[test]
fn files_that_are_not_one_whole_model_are_refused() {
    let three = shards(3);
    let of = |numbers: &[usize]| -> Vec<_> { numbers.iter().map(|&i| three[i].clone()).collect() };
    let with = |change: fn(&mut Vec<Parts>)| {
        let mut changed = three.clone();
        change(&mut changed);
        changed
    };
    for (files, expected) in [
        (of(&[1]), "the file is part 2 of a model in 3 files; give all of them: missing 1, 3"),
        (of(&[2, 0]), "the files are 2 of the 3 of a model; give all of them: missing 2"),
        (of(&[0, 1, 2, 1]), "split.no: part 2 of 3 is given twice"),
        ([of(&[0, 1]), shards(2)].concat(), "split.count: is 3 in one file and 2 in another"),
        (vec![Parts::committed(), Parts::committed()], "the files are whole models; give one"),
        (
            with(|shards| *shards[2].value("split.no") = Value::U16(3)),
            "file 3 of the 3 given: split.no: is 3, but the model has 3 files, counted from 0",
        ),
        (
            with(|shards| *shards[0].value("split.count") = Value::U32(u32::MAX)),
            "file 1 of the 3 given: split.count: is 4294967295; at most 99999",
        ),
        (
            with(|shards| *shards[0].value("split.tensors.count") = Value::I32(7)),
            "split.tensors.count: is 7, but the files hold",
        ),
        (
            with(|shards| {
                let twice = shards[0].tensors[0].clone();
                shards[1].tensors.push(twice);
            }),
            "the tensor stands in two files of the split model",
        ),
        (
            with(|shards| shards[1].metadata.push(("qwen3.block_count".into(), Value::U32(9)))),
            "file 2 of the 3 given: qwen3.block_count: differs from the first file",
        ),
        (with(|shards| drop(shards[2].tensors.pop())), "split.tensors.count: is"),
    ] {
        let error = refusal(&files);
        assert!(error.contains(expected), "{error}");
    }
    let broken = vec![Cursor::new(three[0].to_bytes()), Cursor::new(b"GGUF".to_vec())];
    let error = Reranker::load_shards(broken, LoadOptions::default(), &mut |_| {});
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("file 2 of the 2 given: byte 4: claims 4 bytes"), "{error}");
    let none = Vec::<Cursor<Vec<u8>>>::new();
    let error = Reranker::load_shards(none, LoadOptions::default(), &mut |_| {});
    assert!(error.map(|_| ()).unwrap_err().to_string().contains("no file is given"));
}

#[test]
fn the_other_files_are_found_by_the_name_of_any_one() {
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path(), &shards(3));
    let expected = margins(&model::load(model::bytes()).unwrap());
    for path in &paths {
        let files = open_shards(path).unwrap();
        let split = Reranker::load_shards(files, LoadOptions::default(), &mut |_| {}).unwrap();
        assert_eq!(margins(&split), expected);
    }
    fs::remove_file(&paths[1]).unwrap();
    let error = open_shards(&paths[2]).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("m-00002-of-00003.gguf: No such file"), "{error}");
    // A whole model may be called so, and a shard otherwise.
    let whole = folder.path().join("w-00001-of-00009.gguf");
    fs::write(&whole, model::bytes()).unwrap();
    assert_eq!(open_shards(&whole).unwrap().len(), 1);
    let renamed = folder.path().join("w-00001-of-00002.gguf");
    fs::rename(&paths[0], &renamed).unwrap();
    let error = open_shards(&renamed).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("split.count: is 3, but the file's name says 2"), "{error}");
    let plain = folder.path().join("plain.gguf");
    fs::rename(&renamed, &plain).unwrap();
    let files = open_shards(&plain).unwrap();
    let error = Reranker::load_shards(files, LoadOptions::default(), &mut |_| {});
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("part 1 of a model in 3 files; give all of them: missing 2, 3"),
        "{error}"
    );
}

#[test]
fn the_command_line_and_quantize_take_any_file_of_a_split_model() {
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path(), &shards(2));
    let output = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"))
        .args(["info", "--json", "--model"])
        .arg(&paths[1])
        .env_clear()
        .output()
        .unwrap();
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(info["num_hidden_layers"], 4, "{info}");
    let [split, whole, out] = ["split", "whole", "from.gguf"].map(|name| folder.path().join(name));
    fs::write(&out, model::bytes()).unwrap();
    quantize::run(&out, FileType::F16, &whole, &mut |_, _| {}).unwrap();
    quantize::run(&paths[0], FileType::F16, &split, &mut |_, _| {}).unwrap();
    assert!(fs::read(&split).unwrap() == fs::read(&whole).unwrap());
    // None of the files is overwritten.
    let error = quantize::run(&paths[0], FileType::F16, &paths[1], &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("is a file that the model is read from"), "{error}");
}

//! Split models: several files, each with `split.no` and `split.count`, that are one model together.
//!
//! Format: gguf-split of llama.cpp. The first file holds the metadata; names end in
//! `-00001-of-00003.gguf`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::header::Header;
use super::tensor_info::TensorInfo;
use super::value::{Metadata, Value};
use crate::{Error, Result};

/// More files than this are taken for corruption: names have five digits.
const MAX_COUNT: usize = 99_999;
/// How many missing files an error names.
const NAMED: usize = 5;

/// Which file of a split model a header is of.
#[derive(Clone, Copy)]
struct Shard {
    /// From 0.
    number: usize,
    /// Files of the model.
    count: usize,
}

impl Shard {
    fn of(metadata: &Metadata) -> Result<Self> {
        let count = metadata.count("split.count")?.unwrap_or(1).max(1);
        let number = metadata.count("split.no")?.unwrap_or(0);
        if count > MAX_COUNT {
            return Err(Error::model("split.count", format!("is {count}; at most {MAX_COUNT}")));
        }
        if number >= count {
            let reason = format!("is {number}, but the model has {count} files, counted from 0");
            return Err(Error::model("split.no", reason));
        }
        Ok(Self { number, count })
    }
}

/// An error of one of `count` files, saying which if there are several.
pub fn in_file(error: Error, index: usize, count: usize) -> Error {
    let file = format!("file {} of the {count} given", index + 1);
    match error {
        error if count == 1 => error,
        Error::InvalidModel { place, reason } => Error::model(format!("{file}: {place}"), reason),
        Error::UnsupportedModel(reason) => Error::UnsupportedModel(format!("{file}: {reason}")),
        other => other,
    }
}

/// The headers of all files of a model, in any order, as the header of one.
///
/// # Errors
/// [`Error::InvalidModel`] if they are not all files of one model, each once.
pub fn merge(headers: Vec<Header>) -> Result<Header> {
    let given = headers.len();
    let shards = headers.iter().enumerate().map(|(index, header)| {
        Shard::of(&header.metadata).map_err(|error| in_file(error, index, given))
    });
    let shards = shards.collect::<Result<Vec<_>>>()?;
    check_complete(&shards)?;
    let first = shards.iter().position(|shard| shard.number == 0).expect("all are there: bug");
    let mut metadata = headers[first].metadata.clone();
    let stated = metadata.count("split.tensors.count")?;
    metadata.0.retain(|key, _| !key.starts_with("split."));
    let (mut tensors, mut size) = (BTreeMap::new(), 0);
    for (index, header) in headers.into_iter().enumerate() {
        size += header.size;
        // The first one agrees with itself, even where it holds NaN.
        let agreement = match index == first {
            true => Ok(()),
            false => check_agreement(&metadata, &header.metadata),
        };
        agreement
            .and_then(|()| take_tensors(&mut tensors, header.tensors, index))
            .map_err(|error| in_file(error, index, given))?;
    }
    match stated {
        Some(stated) if stated != tensors.len() => Err(Error::model(
            "split.tensors.count",
            format!("is {stated}, but the files hold {} tensors", tensors.len()),
        )),
        _ => Ok(Header { metadata, tensors, size }),
    }
}

fn check_complete(shards: &[Shard]) -> Result<()> {
    let Some(&Shard { number, count }) = shards.first() else {
        return Err(Error::model("split.count", "no file is given"));
    };
    if let Some(other) = shards.iter().find(|shard| shard.count != count) {
        let reason = format!("is {count} in one file and {} in another", other.count);
        return Err(Error::model("split.count", reason));
    }
    let mut numbers: Vec<_> = shards.iter().map(|shard| shard.number).collect();
    numbers.sort_unstable();
    if let Some(pair) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
        let reason = match count {
            1 => "the files are whole models; give one".to_string(),
            _ => format!("part {} of {count} is given twice", pair[0] + 1),
        };
        return Err(Error::model("split.no", reason));
    }
    let missing: Vec<_> =
        (0..count).filter(|number| numbers.binary_search(number).is_err()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = missing.iter().take(NAMED).map(|number| (number + 1).to_string()).collect();
    let more = if missing.len() > NAMED { ", …" } else { "" };
    let has = match shards.len() {
        1 => format!("the file is part {} of a model in {count} files", number + 1),
        given => format!("the files are {given} of the {count} of a model"),
    };
    let reason = format!("{has}; give all of them: missing {}{more}", named.join(", "));
    Err(Error::model("split.count", reason))
}

/// Files after the first repeat its metadata or leave it out.
fn check_agreement(first: &Metadata, other: &Metadata) -> Result<()> {
    let differs = |key: &str, value: &Value| first.get(key).is_some_and(|stated| stated != value);
    let mut own = other.0.iter().filter(|(key, _)| !is_own(key));
    match own.find(|(key, value)| differs(key, value)) {
        None => Ok(()),
        Some((key, _)) => Err(Error::model(key, "differs from the first file of the split model")),
    }
}

/// Whether a key is about the file and not the model.
fn is_own(key: &str) -> bool {
    key.starts_with("split.") || key == "general.alignment"
}

fn take_tensors(
    all: &mut BTreeMap<String, TensorInfo>,
    own: BTreeMap<String, TensorInfo>,
    file: usize,
) -> Result<()> {
    for (name, info) in own {
        if all.insert(name.clone(), TensorInfo { file, ..info }).is_some() {
            return Err(Error::model(name, "the tensor stands in two files of the split model"));
        }
    }
    Ok(())
}

/// Opens a model file, and of a split model all files: given any one of them, the others are found by
/// their names beside it.
///
/// # Errors
/// [`Error::Io`] naming the file that cannot be opened, [`Error::InvalidValue`] for a folder; what [`super::Reader::new`] gives for a
/// broken header.
pub fn open_shards(path: &Path) -> Result<Vec<File>> {
    let paths = shard_paths(path)?;
    paths.iter().map(|path| open(path)).collect()
}

/// The files of the model that `path` is a file of, in order.
///
/// # Errors
/// As [`open_shards`].
pub fn shard_paths(path: &Path) -> Result<Vec<PathBuf>> {
    let alone = vec![path.to_path_buf()];
    let Some((stem, named)) = numbered(path) else { return Ok(alone) };
    // A name alone proves nothing: a file may be called so and be whole.
    match Shard::of(&Header::read(&mut open(path)?)?.metadata)? {
        Shard { count: 1, .. } => Ok(alone),
        Shard { count, .. } if count != named => {
            let reason = format!("is {count}, but the file's name says {named}");
            Err(Error::model("split.count", reason))
        }
        Shard { count, .. } => {
            let name = |number| format!("{stem}-{number:05}-of-{count:05}.gguf");
            Ok((1..=count).map(|number| path.with_file_name(name(number))).collect())
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let failed = |e| Error::io(path.display().to_string(), e);
    let file = File::open(path).map_err(failed)?;
    // Unix opens folders too, and fails only when they are read.
    match file.metadata().map_err(failed)?.is_dir() {
        false => Ok(file),
        true => Err(Error::value(path.display().to_string(), "is a folder, not a file")),
    }
}

/// `model-00002-of-00003.gguf` is `("model", 3)`.
fn numbered(path: &Path) -> Option<(&str, usize)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
    let (rest, count) = name.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(number) && digits(count)).then(|| Some((stem, count.parse().ok()?)))?
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn names_of_split_files_are_taken_apart() {
        let numbered = |name| numbered(Path::new(name));
        assert_eq!(numbered("a/b-c-00002-of-00003.gguf"), Some(("b-c", 3)));
        for other in ["a-2-of-3.gguf", "a-00002-of-00003.bin", "a-0000x-of-00003.gguf", "a.gguf"] {
            assert_eq!(numbered(other), None, "{other}");
        }
    }
}

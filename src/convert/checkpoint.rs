//! The official checkpoint folder: config.json, tokenizer.json and weights in
//! one safetensors file or several, of which only the parts asked for are read.

use crate::gguf::TensorType;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use serde_json::Value as Json;

use super::config_json::{self, CONFIG, Kind};
use crate::gguf::foreign;
use crate::model::Config;
use crate::model::tensors::CHECKPOINT_CLASSIFIER;
use crate::{Error, Result};

/// Names the shards of a checkpoint in several files.
const INDEX: &str = "model.safetensors.index.json";

/// A longer header is taken for corruption; the format allows no more either.
const MAX_HEADER: u64 = 100_000_000;

/// Where a tensor lies.
struct TensorLocation {
    file: usize,
    offset: u64,
    dtype: Dtype,
    dims: Vec<usize>,
}

/// An opened checkpoint folder.
pub struct Checkpoint {
    folder: PathBuf,
    files: Vec<(PathBuf, File)>,
    locations: HashMap<String, TensorLocation>,
    /// The sizes and constants of config.json.
    pub config: Config,
    /// What it computes from its last hidden state.
    pub kind: Kind,
}

impl Checkpoint {
    /// Opens a folder and checks its headers against the files' sizes. Checkpoints of embedding
    /// models are refused, unless `any_pooling` is set.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for missing or broken files,
    /// [`Error::UnsupportedModel`] for models that are not dense Qwen3 or no rerankers.
    pub fn open(folder: &Path, any_pooling: bool) -> Result<Self> {
        let config = parse(folder, CONFIG)?;
        let kind = config_json::kind(&config)?;
        if !any_pooling {
            refuse_embedding_model(folder)?;
        }
        let mut files = Vec::new();
        let mut locations = HashMap::new();
        for name in weight_files(folder)? {
            let path = folder.join(&name);
            let mut file = File::open(&path).map_err(|e| Error::io(display(&path), e))?;
            for (tensor, location) in read_header(&mut file, &path, files.len())? {
                let tensor = full_name(tensor);
                if locations.insert(tensor.clone(), location).is_some() {
                    return Err(Error::model(tensor, "the tensor stands in two files"));
                }
            }
            files.push((path, file));
        }
        let config = config_json::read(&config, locations.contains_key("lm_head.weight"))?;
        Ok(Self { folder: folder.to_path_buf(), files, locations, config, kind })
    }

    /// The text of tokenizer.json.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn tokenizer(&self) -> Result<String> {
        text(&self.folder, "tokenizer.json")
    }

    /// The paths of all files that it is read from.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let texts = [CONFIG, "tokenizer.json", INDEX].map(|name| self.folder.join(name));
        texts.into_iter().chain(self.files.iter().map(|(path, _)| path.clone()))
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.locations.keys().map(String::as_str)
    }

    /// Sizes and type of a tensor.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is missing, [`Error::UnsupportedModel`]
    /// if it is not of a floating-point type that checkpoints have.
    pub fn stored(&self, name: &str) -> Result<(&[usize], TensorType)> {
        let location = self.location(name)?;
        let dtype = match location.dtype {
            Dtype::F32 => TensorType::F32,
            Dtype::F16 => TensorType::F16,
            Dtype::BF16 => TensorType::BF16,
            other => {
                let reason = format!("{name} is of type {other:?}; F32, F16 and BF16 are read");
                return Err(Error::UnsupportedModel(reason));
            }
        };
        Ok((&location.dims, dtype))
    }

    /// Reads `length` bytes of a tensor from its byte `start` on.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is missing, [`Error::Io`] if reading fails.
    pub fn bytes(&mut self, name: &str, start: u64, length: usize) -> Result<Vec<u8>> {
        let TensorLocation { file, offset, .. } = *self.location(name)?;
        let (path, source) = &mut self.files[file];
        let failed = |e| Error::io(format!("{}: {name}", path.display()), e);
        let mut data = vec![0; length];
        source.seek(SeekFrom::Start(offset + start)).map_err(failed)?;
        source.read_exact(&mut data).map_err(failed)?;
        Ok(data)
    }

    fn location(&self, name: &str) -> Result<&TensorLocation> {
        self.locations.get(name).ok_or_else(|| Error::model(name, "the tensor is missing"))
    }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

fn text(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::read_to_string(&path).map_err(|e| Error::io(display(&path), e))
}

fn parse(folder: &Path, name: &str) -> Result<Json> {
    let text = text(folder, name)?;
    serde_json::from_str(&text).map_err(|error| {
        let kind = foreign::describe(text.as_bytes(), text.len() as u64);
        match kind.filter(|_| !text.trim_start().starts_with('{')) {
            Some(kind) => Error::model(name, format!("is {kind}")),
            None => Error::model(name, error.to_string()),
        }
    })
}

/// The name that a tensor has in official checkpoints: some tools save the inner model alone, whose
/// names lack the prefix.
fn full_name(name: String) -> String {
    let outer = ["lm_head.weight", CHECKPOINT_CLASSIFIER, "score.bias"];
    match name.starts_with("model.") || outer.contains(&name.as_str()) {
        true => name,
        false => format!("model.{name}"),
    }
}

/// Refuses the folder of an embedding model, whose hidden states sentence-transformers pools.
fn refuse_embedding_model(folder: &Path) -> Result<()> {
    const POOLING: &str = "1_Pooling";
    const MODULES: &str = "modules.json";
    let modules = match parse(folder, MODULES) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Json::Null,
        modules => modules?,
    };
    let types = modules.as_array().into_iter().flatten().filter_map(|each| each["type"].as_str());
    let place = match folder.join(POOLING).exists() {
        true => Some(POOLING),
        false => types.into_iter().any(|kind| kind.ends_with("Pooling")).then_some(MODULES),
    };
    match place {
        None => Ok(()),
        Some(place) => Err(Error::UnsupportedModel(format!(
            "{place} pools hidden states: it is an embedding model and no reranker, so its scores \
             would mean nothing; give a reranker, or convert it all the same with any_pooling"
        ))),
    }
}

/// The weight files: those that the index names, or the only one.
fn weight_files(folder: &Path) -> Result<BTreeSet<String>> {
    let index = match parse(folder, INDEX) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(BTreeSet::from(["model.safetensors".to_string()]));
        }
        index => index?,
    };
    let map = index["weight_map"].as_object();
    let map = map.ok_or_else(|| Error::model(INDEX, "weight_map is missing"))?;
    let plain = |name: &&str| Path::new(name).file_name() == Some(name.as_ref());
    map.values()
        .map(|name| name.as_str().filter(plain).map(String::from))
        .collect::<Option<_>>()
        .ok_or_else(|| Error::model(INDEX, "weight_map holds something else than file names"))
}

/// The tensors of one file, checked to lie within it.
fn read_header(
    file: &mut File,
    path: &Path,
    index: usize,
) -> Result<Vec<(String, TensorLocation)>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fail = |reason: String| Error::model(&*name, reason);
    let failed = |e| Error::io(display(path), e);
    let size = file.metadata().map_err(failed)?.len();
    if size < 8 {
        return Err(fail("is too short for a safetensors file".into()));
    }
    let mut start = Vec::new();
    file.by_ref().take(foreign::START as u64).read_to_end(&mut start).map_err(failed)?;
    let length = u64::from_le_bytes(*start.first_chunk().expect("it has 8 bytes: bug"));
    if length > MAX_HEADER.min(size - 8) {
        return Err(fail(match foreign::describe(&start, size) {
            Some(kind) => format!("is no safetensors file but {kind}"),
            None => format!(
                "claims a header of {length} bytes: it is no safetensors file, or truncated"
            ),
        }));
    }
    let mut header = vec![0; length as usize];
    file.seek(SeekFrom::Start(8)).map_err(failed)?;
    file.read_exact(&mut header).map_err(failed)?;
    // Parsing checks that sizes agree with shapes and that the data has no holes.
    let metadata: safetensors::tensor::Metadata =
        serde_json::from_slice(&header).map_err(|e| fail(format!("its header: {e}")))?;
    let needed = metadata.data_len() as u64;
    if size - 8 - length < needed {
        let there = size - 8 - length;
        return Err(fail(format!("has {there} bytes of {needed} of data: it is truncated")));
    }
    let location = |info: &safetensors::tensor::TensorInfo| TensorLocation {
        file: index,
        offset: 8 + length + info.data_offsets.0 as u64,
        dtype: info.dtype,
        dims: info.shape.clone(),
    };
    Ok(metadata.tensors().into_iter().map(|(name, info)| (name, location(info))).collect())
}

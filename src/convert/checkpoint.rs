//! The official checkpoint folder: config.json, tokenizer.json and weights in
//! one safetensors file or several, of which only the parts asked for are read.

use crate::gguf::TensorType;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use serde_json::{Value as Json, json};

use super::architecture::Architecture;
use super::json::{at, check};
use crate::model::MAX_LAYERS;
use crate::{Error, Result};

const CONFIG: &str = "config.json";

/// Names the shards of a checkpoint in several files.
const INDEX: &str = "model.safetensors.index.json";

/// A longer header is taken for corruption; the format allows no more either.
const MAX_HEADER: u64 = 100_000_000;

/// Where a tensor lies.
struct Place {
    file: usize,
    offset: u64,
    dtype: Dtype,
    dims: Vec<usize>,
}

/// An opened checkpoint folder.
pub struct Checkpoint {
    folder: PathBuf,
    files: Vec<(PathBuf, File)>,
    places: HashMap<String, Place>,
    /// The dimensions of config.json.
    pub architecture: Architecture,
}

impl Checkpoint {
    /// Opens a folder and checks its headers against the files' sizes.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] for missing or broken files,
    /// [`Error::UnsupportedModel`] for models that are not dense Qwen3.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = parse(folder, CONFIG)?;
        check_supported(&config)?;
        let mut files = Vec::new();
        let mut places = HashMap::new();
        for name in weight_files(folder)? {
            let path = folder.join(&name);
            let mut file = File::open(&path).map_err(|e| Error::io(display(&path), e))?;
            for (tensor, place) in read_header(&mut file, &path, files.len())? {
                // Some tools save the inner model alone, whose names lack the prefix.
                let tensor = match tensor.starts_with("model.") || tensor == "lm_head.weight" {
                    true => tensor,
                    false => format!("model.{tensor}"),
                };
                if places.insert(tensor.clone(), place).is_some() {
                    return Err(Error::model(tensor, "the tensor stands in two files"));
                }
            }
            files.push((path, file));
        }
        let architecture = architecture(&config, places.contains_key("lm_head.weight"))?;
        Ok(Self { folder: folder.to_path_buf(), files, places, architecture })
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
        self.places.keys().map(String::as_str)
    }

    /// Sizes and type of a tensor.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is missing, [`Error::UnsupportedModel`]
    /// if it is not of a floating-point type that checkpoints have.
    pub fn stored(&self, name: &str) -> Result<(&[usize], TensorType)> {
        let place = self.place(name)?;
        let dtype = match place.dtype {
            Dtype::F32 => TensorType::F32,
            Dtype::F16 => TensorType::F16,
            Dtype::BF16 => TensorType::BF16,
            other => {
                let reason = format!("{name} is of type {other:?}; F32, F16 and BF16 are read");
                return Err(Error::UnsupportedModel(reason));
            }
        };
        Ok((&place.dims, dtype))
    }

    /// Reads `length` bytes of a tensor from its byte `start` on.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is missing, [`Error::Io`] if reading fails.
    pub fn bytes(&mut self, name: &str, start: u64, length: usize) -> Result<Vec<u8>> {
        let Place { file, offset, .. } = *self.place(name)?;
        let (path, source) = &mut self.files[file];
        let failed = |e| Error::io(format!("{}: {name}", path.display()), e);
        let mut data = vec![0; length];
        source.seek(SeekFrom::Start(offset + start)).map_err(failed)?;
        source.read_exact(&mut data).map_err(failed)?;
        Ok(data)
    }

    fn place(&self, name: &str) -> Result<&Place> {
        self.places.get(name).ok_or_else(|| Error::model(name, "the tensor is missing"))
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
    serde_json::from_str(&text(folder, name)?).map_err(|e| Error::model(name, e.to_string()))
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
fn read_header(file: &mut File, path: &Path, index: usize) -> Result<Vec<(String, Place)>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fail = |reason: String| Error::model(&*name, reason);
    let failed = |e| Error::io(display(path), e);
    let size = file.metadata().map_err(failed)?.len();
    if size < 8 {
        return Err(fail("is too short for a safetensors file".into()));
    }
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(failed)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER.min(size - 8) {
        let reason = "claims a header of {length} bytes: it is no safetensors file, or truncated";
        return Err(fail(reason.replace("{length}", &length.to_string())));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(failed)?;
    // Parsing checks that sizes agree with shapes and that the data has no holes.
    let metadata: safetensors::tensor::Metadata =
        serde_json::from_slice(&header).map_err(|e| fail(format!("its header: {e}")))?;
    let needed = metadata.data_len() as u64;
    if size - 8 - length < needed {
        let there = size - 8 - length;
        return Err(fail(format!("has {there} bytes of {needed} of data: it is truncated")));
    }
    let place = |info: &safetensors::tensor::TensorInfo| Place {
        file: index,
        offset: 8 + length + info.data_offsets.0 as u64,
        dtype: info.dtype,
        dims: info.shape.clone(),
    };
    Ok(metadata.tensors().into_iter().map(|(name, info)| (name, place(info))).collect())
}

/// Refuses what this crate would compute wrongly.
fn check_supported(config: &Json) -> Result<()> {
    let refuse = |reason: String| Err(Error::UnsupportedModel(format!("{CONFIG}: {reason}")));
    let architecture = config["architectures"][0].as_str().unwrap_or("none");
    if architecture == "Qwen3ForSequenceClassification" {
        return refuse(
            "the checkpoint was converted to a classifier; give the original Qwen3ForCausalLM"
                .into(),
        );
    }
    if architecture != "Qwen3ForCausalLM" {
        return refuse(format!("the architecture is {architecture}; Qwen3ForCausalLM is read"));
    }
    for key in ["rope_scaling", "rope_parameters"] {
        let rope = &config[key];
        if !(rope.is_object() || rope.is_null()) {
            return refuse(format!("{key} is {rope}; must be an object or null"));
        }
    }
    let unscaled = &[json!("default"), Json::Null];
    let off = &[json!(false), Json::Null];
    let places: &[(&str, &[Json])] = &[
        // Older files say `type`.
        ("rope_scaling/rope_type", unscaled),
        ("rope_scaling/type", unscaled),
        ("rope_parameters/rope_type", unscaled),
        ("rope_parameters/type", unscaled),
        ("attention_bias", off),
        ("use_sliding_window", off),
        ("tie_word_embeddings", &[json!(true), json!(false), Json::Null]),
        ("hidden_act", &[json!("silu"), Json::Null]),
    ];
    check(config, CONFIG, places)?;
    let layers = &config["layer_types"];
    if !(layers.is_array() || layers.is_null()) {
        return refuse(format!("layer_types is {layers}; must be an array or null"));
    }
    for layer in 0..layers.as_array().map_or(0, Vec::len) {
        let place = format!("layer_types/{layer}");
        check(config, CONFIG, &[(&place, &[json!("full_attention")])])?;
    }
    Ok(())
}

fn architecture(config: &Json, has_head: bool) -> Result<Architecture> {
    let count = |key: &str| {
        let count = config[key].as_u64().filter(|n| (1..=1 << 20).contains(n));
        let reason = || format!("{key} is missing, or no count between 1 and 2^20");
        count.map(|n| n as usize).ok_or_else(|| Error::model(CONFIG, reason()))
    };
    let (hidden, heads) = (count("hidden_size")?, count("num_attention_heads")?);
    Ok(Architecture {
        layers: match count("num_hidden_layers")? {
            layers if layers <= MAX_LAYERS => layers,
            layers => {
                let reason = format!("num_hidden_layers is {layers}; at most {MAX_LAYERS}");
                return Err(Error::model(CONFIG, reason));
            }
        },
        hidden,
        ffn: count("intermediate_size")?,
        heads,
        kv_heads: count("num_key_value_heads")?,
        head_dim: if config["head_dim"].is_null() { hidden / heads } else { count("head_dim")? },
        tied: config["tie_word_embeddings"].as_bool().unwrap_or(!has_head),
        context: count("max_position_embeddings")?,
        rope_base: rope_base(config)? as f32,
        norm_eps: positive(config, "rms_norm_eps")? as f32,
    })
}

/// The base of the rotary frequencies. Versions of transformers keep it in different places, and
/// take that of a different one where there are several.
fn rope_base(config: &Json) -> Result<f64> {
    let places = ["rope_theta", "rope_parameters/rope_theta", "rope_scaling/rope_theta"];
    let mut given = places.into_iter().filter(|place| !at(config, place).is_null());
    let first = given.next().unwrap_or(places[0]);
    let base = positive(config, first)?;
    for place in given {
        if positive(config, place)? != base {
            let (base, other) = (at(config, first), at(config, place));
            let reason = format!("{first} is {base}, but {place} is {other}");
            return Err(Error::model(CONFIG, reason));
        }
    }
    Ok(base)
}

fn positive(config: &Json, place: &str) -> Result<f64> {
    let number = at(config, place).as_f64().filter(|n| n.is_finite() && *n > 0.0);
    let reason = || format!("{place} is missing, or no positive number");
    number.ok_or_else(|| Error::model(CONFIG, reason()))
}

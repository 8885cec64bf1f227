//! The committed model, and broken copies of it.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use qwen3_rerank::gguf::{DEFAULT_ALIGNMENT, Reader, Value};
use qwen3_rerank::{LoadOptions, Reranker, Result};

/// Where the committed model is.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/qwen3-rerank-untrained.gguf")
}

/// The committed model's bytes.
pub fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| fs::read(path()).expect("the committed model can be read"))
}

/// Loads a model from memory.
pub fn load(bytes: &[u8]) -> Result<Reranker> {
    Reranker::load(Cursor::new(bytes), LoadOptions::default(), &mut |_| {})
}

/// Regolo's example: query, documents, top_n.
pub fn regolo() -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/seeds.json");
    let text = fs::read_to_string(path).expect("the fixture can be read");
    let seeds: serde_json::Value = serde_json::from_str(&text).expect("the fixture is JSON");
    seeds["regolo"].clone()
}

/// A GGUF file taken apart, to be put together wrongly.
#[derive(Clone)]
pub struct Parts {
    pub metadata: Vec<(String, Value)>,
    pub tensors: Vec<Tensor>,
}

/// One tensor of [`Parts`].
#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    /// Innermost first, as in the file.
    pub dims: Vec<u64>,
    pub type_id: u32,
    /// Offset to write in place of the true one.
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

impl Parts {
    /// The committed model's.
    pub fn committed() -> Self {
        static PARTS: OnceLock<Parts> = OnceLock::new();
        PARTS.get_or_init(|| Self::of(bytes())).clone()
    }

    fn of(bytes: &[u8]) -> Self {
        let mut reader = Reader::new(Cursor::new(bytes)).expect("the committed model is whole");
        let infos = reader.tensors.clone();
        let tensor = |(name, info): (&String, &qwen3_rerank::gguf::TensorInfo)| Tensor {
            name: name.clone(),
            dims: info.dims.iter().rev().map(|&dim| dim as u64).collect(),
            type_id: info.dtype.id(),
            offset: None,
            data: reader.bytes(name, 0, info.size as usize).expect("the model is whole"),
        };
        let tensors = infos.iter().map(tensor).collect();
        Self { metadata: reader.metadata.0.clone().into_iter().collect(), tensors }
    }

    /// The value of `key`.
    pub fn value(&mut self, key: &str) -> &mut Value {
        let entry = self.metadata.iter_mut().find(|(name, _)| name == key);
        &mut entry.unwrap_or_else(|| panic!("the model has {key}")).1
    }

    /// The items of the array under `key`.
    pub fn items(&mut self, key: &str) -> &mut Vec<Value> {
        match self.value(key) {
            Value::Array(items) => items,
            other => panic!("{key} is {other:?}"),
        }
    }

    /// The tensor `name`.
    pub fn tensor(&mut self, name: &str) -> &mut Tensor {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        found.unwrap_or_else(|| panic!("the model has {name}"))
    }

    /// Puts the file together; `offset`s that are set are written as they are.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_bytes(&mut out, key.as_bytes());
            out.extend(kind(value).to_le_bytes());
            put_value(&mut out, value);
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            put_bytes(&mut out, tensor.name.as_bytes());
            out.extend((tensor.dims.len() as u32).to_le_bytes());
            tensor.dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
            out.extend(tensor.type_id.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(offset).to_le_bytes());
            offset += (tensor.data.len() as u64).next_multiple_of(DEFAULT_ALIGNMENT);
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
            out.extend(&tensor.data);
        }
        out
    }
}

fn put_bytes(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

/// The format's number for a value's type.
fn kind(value: &Value) -> u32 {
    match value {
        Value::U16(_) => 2,
        Value::U32(_) => 4,
        Value::I32(_) => 5,
        Value::F32(_) => 6,
        Value::Bool(_) => 7,
        Value::String(_) | Value::Bytes(_) => 8,
        Value::Array(_) => 9,
        other => panic!("the tests write no {other:?}"),
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U16(number) => out.extend(number.to_le_bytes()),
        Value::U32(number) => out.extend(number.to_le_bytes()),
        Value::I32(number) => out.extend(number.to_le_bytes()),
        Value::F32(number) => out.extend(number.to_le_bytes()),
        Value::Bool(flag) => out.push(u8::from(*flag)),
        Value::String(text) => put_bytes(out, text.as_bytes()),
        Value::Bytes(text) => put_bytes(out, text),
        Value::Array(items) => {
            out.extend(items.first().map_or(8, kind).to_le_bytes());
            out.extend((items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| put_value(out, item));
        }
        other => panic!("the tests write no {other:?}"),
    }
}

/// Where the header ends and tensor data begins.
pub fn header_length(bytes: &[u8]) -> usize {
    let reader = Reader::new(Cursor::new(bytes)).expect("the model is whole");
    let first = reader.tensors.values().map(|info| info.offset).min();
    first.expect("the model has tensors") as usize
}

/// Reads all of `source`.
pub fn read_all(mut source: impl Read) -> String {
    let mut text = String::new();
    source.read_to_string(&mut text).expect("the output is text");
    text
}

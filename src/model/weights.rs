//! Tensors of a file to the parts of the model, one at a time.
//!
//! Shapes are checked against the metadata before any data is read. Only what
//! scoring needs is loaded: of the output matrix, two rows.

use std::io::{Read, Seek};

use serde::Serialize;

use super::config::Config;
use super::cpu::layer::Layer;
use super::embedding::Embedding;
use super::head::{CLASSIFIER, EMBEDDING, OUTPUT};
use crate::gguf::Reader;
use crate::kernel::Linear;
use crate::{Error, Result};

/// How far a load has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LoadProgress {
    /// Bytes of tensors taken in so far.
    pub bytes: u64,
    /// Bytes of all tensors that the model needs.
    pub total: u64,
}

/// Takes the model's tensors from a file, reporting progress.
pub struct Weights<'a, R> {
    pub reader: &'a mut Reader<R>,
    pub config: &'a Config,
    pub progress: &'a mut dyn FnMut(LoadProgress),
    state: LoadProgress,
}

/// The shapes of a layer's tensors, `[outputs, inputs]` or `[values]`, by name.
/// `query` and `kv` are the values in a token's queries, and in its keys or values.
pub(crate) fn layer_shapes(
    hidden: usize,
    ffn: usize,
    query: usize,
    kv: usize,
    head_dim: usize,
) -> [(&'static str, Vec<usize>); 11] {
    [
        ("attn_norm", vec![hidden]),
        ("attn_q", vec![query, hidden]),
        ("attn_k", vec![kv, hidden]),
        ("attn_v", vec![kv, hidden]),
        ("attn_output", vec![hidden, query]),
        ("attn_q_norm", vec![head_dim]),
        ("attn_k_norm", vec![head_dim]),
        ("ffn_norm", vec![hidden]),
        ("ffn_gate", vec![ffn, hidden]),
        ("ffn_up", vec![ffn, hidden]),
        ("ffn_down", vec![hidden, ffn]),
    ]
}

fn shapes_of(config: &Config) -> [(&'static str, Vec<usize>); 11] {
    let Config { hidden_size, ffn_size, head_dim, .. } = *config;
    layer_shapes(hidden_size, ffn_size, config.query_size(), config.kv_size(), head_dim)
}

impl<'a, R: Read + Seek> Weights<'a, R> {
    /// Checks that every tensor is there, in its shape.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] naming the tensor; [`Error::UnsupportedModel`]
    /// if the model does not fit this machine's address space.
    pub fn new(
        reader: &'a mut Reader<R>,
        config: &'a Config,
        reserve_bytes: u64,
        progress: &'a mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let embedding = reader.info(EMBEDDING)?;
        if embedding.dims.len() != 2 || embedding.dims[1] != config.hidden_size {
            let reason = format!(
                "has shape {:?}; must be [vocabulary, {}]",
                embedding.dims, config.hidden_size
            );
            return Err(Error::model(EMBEDDING, reason));
        }
        let mut total = embedding.size;
        for layer in 0..config.layers {
            for (name, shape) in shapes_of(config) {
                let name = format!("blk.{layer}.{name}.weight");
                let info = reader.info(&name)?;
                if info.dims != shape {
                    let reason = format!("has shape {:?}; must be {shape:?}", info.dims);
                    return Err(Error::model(name, reason));
                }
                total += info.size;
            }
        }
        check_memory(total, reserve_bytes)?;
        refuse_unknown(reader, config)?;
        let state = LoadProgress { bytes: 0, total };
        progress(state);
        Ok(Self { reader, config, progress, state })
    }

    /// The embedding `[vocabulary, hidden]`, still quantized.
    pub fn embedding(&mut self) -> Result<Embedding> {
        let embedding = Embedding::read(self.reader, EMBEDDING)?;
        self.report(EMBEDDING)?;
        Ok(embedding)
    }

    /// The norm before the head, `[hidden]`.
    pub fn output_norm(&mut self) -> Result<Vec<f32>> {
        let shape = [self.config.hidden_size];
        let dims = &self.reader.info("output_norm.weight")?.dims;
        if dims[..] != shape {
            let reason = format!("has shape {dims:?}; must be {shape:?}");
            return Err(Error::model("output_norm.weight", reason));
        }
        let blocks = self.reader.blocks("output_norm.weight")?;
        self.reader.info("output_norm.weight")?.dtype.dequantize(&blocks)
    }

    /// All tensors of one layer.
    pub fn layer(&mut self, index: usize) -> Result<Layer> {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        Ok(Layer {
            attn_norm: self.vector(&name("attn_norm"))?,
            attn_q: self.linear(&name("attn_q"))?,
            attn_k: self.linear(&name("attn_k"))?,
            attn_v: self.linear(&name("attn_v"))?,
            attn_output: self.linear(&name("attn_output"))?,
            attn_q_norm: self.vector(&name("attn_q_norm"))?,
            attn_k_norm: self.vector(&name("attn_k_norm"))?,
            ffn_norm: self.vector(&name("ffn_norm"))?,
            ffn_gate: self.linear(&name("ffn_gate"))?,
            ffn_up: self.linear(&name("ffn_up"))?,
            ffn_down: self.linear(&name("ffn_down"))?,
        })
    }

    fn linear(&mut self, name: &str) -> Result<Linear> {
        let blocks = self.reader.blocks(name)?;
        let info = self.reader.info(name)?;
        let [outputs, inputs] = info.dims[..] else {
            unreachable!("shapes have been checked: bug");
        };
        let linear = Linear::new(info.dtype, &blocks, outputs, inputs);
        self.report(name)?;
        Ok(linear)
    }

    fn vector(&mut self, name: &str) -> Result<Vec<f32>> {
        let blocks = self.reader.blocks(name)?;
        let values = self.reader.info(name)?.dtype.dequantize(&blocks)?;
        self.report(name)?;
        Ok(values)
    }

    fn report(&mut self, name: &str) -> Result<()> {
        self.state.bytes += self.reader.info(name)?.size;
        (self.progress)(self.state);
        Ok(())
    }
}

/// Refuses tensors that the architecture does not have: leaving one out, such as
/// a bias, would give other scores without a word.
fn refuse_unknown<R>(reader: &Reader<R>, config: &Config) -> Result<()> {
    let parts = shapes_of(config).map(|(name, _)| name);
    let is_layer_part = |name: &str| {
        let inner = name.strip_prefix("blk.").and_then(|name| name.strip_suffix(".weight"));
        inner.and_then(|inner| inner.split_once('.')).is_some_and(|(layer, part)| {
            layer.parse().is_ok_and(|layer: usize| layer < config.layers) && parts.contains(&part)
        })
    };
    let others = [EMBEDDING, OUTPUT, CLASSIFIER, "output_norm.weight", "rope_freqs.weight"];
    let is_known = |name: &str| others.contains(&name) || is_layer_part(name);
    match reader.tensors.keys().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            Err(Error::UnsupportedModel(format!("{name}: dense Qwen3 has no such tensor")))
        }
    }
}

/// Refuses what the address space cannot hold, before reading any of it:
/// WebAssembly memory ends at 4 GiB, and running out of it cannot be caught.
fn check_memory(bytes: u64, reserve_bytes: u64) -> Result<()> {
    match usize::try_from(bytes.saturating_add(reserve_bytes)) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::UnsupportedModel(format!(
            "its weights take {} MiB of memory, but there are only {} MiB to address; use a smaller quantization",
            bytes >> 20,
            (usize::MAX as u64).saturating_sub(reserve_bytes) >> 20
        ))),
    }
}

/// Reads one row of a matrix, or a whole vector as row 0, as f32.
pub fn read_row<R: Read + Seek>(
    reader: &mut Reader<R>,
    name: &str,
    row: usize,
) -> Result<Vec<f32>> {
    let info = reader.info(name)?.clone();
    let width = *info.dims.last().expect("tensors have dimensions: bug");
    let rows: usize = info.dims[..info.dims.len() - 1].iter().product();
    if row >= rows {
        return Err(Error::model(name, format!("has {rows} rows, but row {row} is needed")));
    }
    let length = width / info.dtype.block_size() * info.dtype.block_bytes();
    let data = reader.bytes(name, row as u64 * length as u64, length)?;
    info.dtype.dequantize(&data)
}

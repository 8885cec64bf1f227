//! Reads a model's tensors from a file, one at a time, and hands each on.
//!
//! Shapes are checked against the metadata before any data is read. Only what
//! scoring needs is read: of the output matrix, two rows.

use std::io::{Read, Seek};

use serde::Serialize;

use super::config::Config;
use super::embedding::Embedding;
use super::head::ScoringHead;
use super::tensors::{self, EMBEDDING, ROPE_FACTORS};
use crate::gguf::{Reader, TensorType};
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Result};

/// How far a load has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoadProgress {
    /// Bytes of tensors taken in so far.
    pub bytes: u64,
    /// Bytes of all tensors that the model needs.
    pub total: u64,
}

/// A tensor of a layer as the file holds it, all of its values finite.
pub struct RawTensor<'a> {
    /// Index of the layer.
    pub layer: usize,
    /// Its name within the layer, such as `attn_q`.
    pub part: &'static str,
    /// `[outputs, inputs]` for a matrix, `[values]` for a norm.
    pub shape: &'a [usize],
    /// How its values are stored.
    pub dtype: TensorType,
    /// The stored values, row after row.
    pub blocks: Vec<u8>,
}

/// What runs the layers and so keeps their weights: the processor packs them, a GPU uploads them.
pub trait TensorSink {
    /// Takes one tensor; those of a layer come together, and layers in order.
    ///
    /// # Errors
    /// What packing or uploading may fail with.
    fn take(&mut self, tensor: RawTensor<'_>) -> Result<()>;
}

/// Reads tensors of a model whose shapes have been checked, reporting progress.
pub struct Weights<'a, R> {
    reader: &'a mut Reader<R>,
    config: &'a Config,
    progress: &'a mut dyn FnMut(LoadProgress),
    state: LoadProgress,
}

impl<'a, R: Read + Seek> Weights<'a, R> {
    /// Checks that every tensor is there, in its shape, and no other.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] naming the tensor; [`Error::UnsupportedModel`]
    /// for a tensor that dense Qwen3 does not have, and if the model does not fit this machine's
    /// address space.
    pub fn new(
        reader: &'a mut Reader<R>,
        config: &'a Config,
        reserve_bytes: u64,
        progress: &'a mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let total = check_shapes(reader, config)?;
        check_memory(total, reserve_bytes)?;
        tensors::refuse_unknown(reader.tensors.keys(), config)?;
        check_rope_factors(reader)?;
        let state = LoadProgress { bytes: 0, total };
        progress(state);
        Ok(Self { reader, config, progress, state })
    }

    /// The embedding `[vocabulary, hidden]`, still quantized.
    pub fn embedding(&mut self) -> Result<Embedding> {
        let embedding = Embedding::read(self.reader)?;
        self.report(EMBEDDING)?;
        Ok(embedding)
    }

    /// The scoring head, checked.
    pub fn scoring_head(&mut self, tokenizer: &Tokenizer) -> Result<ScoringHead> {
        ScoringHead::read(self.reader, tokenizer, self.config.hidden_size)
    }

    /// The norm before the scoring head, `[hidden]`.
    pub fn output_norm(&mut self) -> Result<Vec<f32>> {
        let spec = tensors::output_norm(self.config);
        let info = self.reader.info(&spec.name)?;
        spec.check(info)?;
        let dtype = info.dtype;
        dtype.dequantize(&self.reader.blocks(&spec.name)?)
    }

    /// Hands all tensors of the layers to `sink`, one at a time.
    pub fn layers(&mut self, sink: &mut impl TensorSink) -> Result<()> {
        for layer in 0..self.config.num_hidden_layers {
            for (part, spec) in tensors::layer(self.config, layer) {
                let blocks = self.reader.blocks(&spec.name)?;
                let dtype = self.reader.info(&spec.name)?.dtype;
                sink.take(RawTensor { layer, part, shape: &spec.shape, dtype, blocks })?;
                self.report(&spec.name)?;
            }
        }
        Ok(())
    }

    fn report(&mut self, name: &str) -> Result<()> {
        self.state.bytes += self.reader.info(name)?.size;
        (self.progress)(self.state);
        Ok(())
    }
}

/// Checks the shapes of the embedding and the layers; gives the bytes of their tensors.
fn check_shapes<R: Read + Seek>(reader: &Reader<R>, config: &Config) -> Result<u64> {
    let embedding = reader.info(EMBEDDING)?;
    if embedding.dims.len() != 2 || embedding.dims[1] != config.hidden_size {
        let (dims, hidden) = (&embedding.dims, config.hidden_size);
        let reason = format!("has shape {dims:?}; must be [vocabulary, {hidden}]");
        return Err(Error::model(EMBEDDING, reason));
    }
    let mut total = embedding.size;
    for layer in 0..config.num_hidden_layers {
        for (_, spec) in tensors::layer(config, layer) {
            let info = reader.info(&spec.name)?;
            spec.check(info)?;
            total += info.size;
        }
    }
    Ok(total)
}

/// Factors to rotary frequencies are not computed: they must be 1, if a file has them.
pub(crate) fn check_rope_factors<R: Read + Seek>(reader: &mut Reader<R>) -> Result<()> {
    let Ok(info) = reader.info(ROPE_FACTORS) else { return Ok(()) };
    let dtype = info.dtype;
    let factors = dtype.dequantize(&reader.blocks(ROPE_FACTORS)?)?;
    match factors.iter().find(|&&factor| factor != 1.0) {
        None => Ok(()),
        Some(factor) => {
            let reason = format!("{ROPE_FACTORS} holds {factor}; Qwen3 has no factors but 1");
            Err(Error::UnsupportedModel(reason))
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

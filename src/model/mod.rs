//! A dense Qwen3 model that scores: embedding, layers, two output rows.
//!
//! `config` reads sizes, `weights` reads tensors, `head` chooses the output
//! rows, `layer` is the transformer layer, `pass` runs tokens through layers.

mod config;
mod cpu;
#[cfg(feature = "embedded-model")]
mod embedded;
mod embedding;
mod head;
mod weights;

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use serde::Serialize;

pub use config::Config;
pub use cpu::pass::{Behind, Pass, Prefix};
#[cfg(feature = "embedded-model")]
pub use embedded::EMBEDDED_MODEL;
pub use head::Head;
pub(crate) use head::Rows;
#[cfg(feature = "native")]
pub(crate) use {
    config::MAX_LAYERS,
    head::{CLASSIFIER, EMBEDDING, OUTPUT},
    weights::layer_shapes,
};

use crate::gguf::Reader;
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Result, kernel};
use cpu::layer::Layer;
use embedding::Embedding;
pub use weights::LoadProgress;
use weights::Weights;

/// What a file holds and how it is used.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The model's name in answers.
    pub name: String,
    /// Sizes and constants.
    #[serde(flatten)]
    pub config: Config,
    /// Rows of the embedding.
    pub vocabulary_size: usize,
    /// Longest prompt that is scored whole, in tokens, frame included.
    pub max_length: usize,
    /// Where the rows for yes and no come from.
    pub head: Head,
    /// Number of tensors by type.
    pub types: BTreeMap<String, usize>,
    /// Values in all tensors.
    pub parameters: u64,
    /// Size of the file in bytes.
    pub file_size: u64,
    /// What was found amiss in the file and put right.
    pub warnings: Vec<String>,
}

/// A loaded model.
pub struct Model {
    pub config: Config,
    embedding: Embedding, // [vocabulary, hidden]
    layers: Vec<Layer>,
    output_norm: Vec<f32>, // [hidden]
    rows: Rows,
}

/// Fails if an embedding of so many rows lacks a token's.
pub(crate) fn check_vocabulary(rows: usize, tokenizer: &Tokenizer) -> Result<()> {
    let tokens = tokenizer.vocabulary_size();
    if tokens > rows {
        let reason = format!("has {rows} rows for {tokens} tokens of the vocabulary");
        return Err(Error::model(head::EMBEDDING, reason));
    }
    Ok(())
}

impl Model {
    /// Reads the model's tensors one at a time. `reserve_bytes` of the address space must stay
    /// free for what requests take beside the weights.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] or [`Error::UnsupportedModel`] saying what and where.
    pub fn load<R: Read + Seek>(
        reader: &mut Reader<R>,
        config: Config,
        tokenizer: &Tokenizer,
        reserve_bytes: u64,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let vocabulary = reader.info(head::EMBEDDING)?.dims[0];
        check_vocabulary(vocabulary, tokenizer)?;
        let mut weights = Weights::new(reader, &config, reserve_bytes, progress)?;
        let output_norm = weights.output_norm()?;
        let rows = Rows::read(weights.reader, tokenizer, config.hidden_size)?;
        let embedding = weights.embedding()?;
        let layers = (0..config.layers).map(|i| weights.layer(i)).collect::<Result<_>>()?;
        Ok(Self { config, embedding, layers, output_norm, rows })
    }

    /// What the file holds; `name` and `max_length` are the caller's.
    pub fn info<R>(&self, reader: &Reader<R>, name: String, max_length: usize) -> ModelInfo {
        let mut types = BTreeMap::new();
        let mut parameters = 0;
        for info in reader.tensors.values() {
            *types.entry(info.dtype.name().to_string()).or_default() += 1;
            parameters += info.dims.iter().map(|&dim| dim as u64).product::<u64>();
        }
        ModelInfo {
            name,
            config: self.config.clone(),
            vocabulary_size: self.vocabulary_size(),
            max_length,
            head: self.rows.head,
            types,
            parameters,
            file_size: reader.size,
            warnings: self.rows.warnings.clone(),
        }
    }

    /// What multiplies the matrices of each type.
    pub fn paths(&self) -> BTreeMap<String, &'static str> {
        let matrices = self.layers.iter().flat_map(Layer::matrices);
        matrices.map(|matrix| (matrix.dtype.name().to_string(), matrix.path())).collect()
    }

    fn vocabulary_size(&self) -> usize {
        self.embedding.rows()
    }

    /// Rows of the embedding, `[tokens, hidden]`.
    fn embed(&self, ids: &[u32]) -> Result<Vec<f32>> {
        self.embedding.rows_of(ids)
    }

    /// Logit of yes less logit of no for each row of `hidden` `[rows, hidden]`.
    fn margins(&self, mut hidden: Vec<f32>) -> Vec<f32> {
        kernel::rms_norm(&mut hidden, &self.output_norm, self.config.rms_norm_eps as f32);
        hidden.chunks_exact(self.config.hidden_size).map(|row| self.rows.margin(row)).collect()
    }

    /// Bytes of keys and values that one token of a prefix takes.
    pub fn prefix_bytes_per_token(&self) -> usize {
        self.layers.len() * self.config.kv_size() * 2 * size_of::<f32>()
    }
}

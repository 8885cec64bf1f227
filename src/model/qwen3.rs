//! A loaded model: what comes before and after the layers, on the host.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::config::Config;
use super::cpu::layer::Layer;
#[cfg(any(feature = "native", target_arch = "wasm32"))]
use super::cpu::products::Products;
use super::cpu::sink::LayerSink;
use super::embedding::{Embedding, check_vocabulary};
use super::head::ScoringHead;
use super::info::ModelInfo;
use super::tensors::EMBEDDING;
use super::weights::{LoadProgress, Weights};
use crate::gguf::Reader;
use crate::prompt::tokenizer::Tokenizer;
use crate::{Result, kernel};

/// A dense Qwen3 model that scores.
pub struct Model {
    pub config: Config,
    embedding: Embedding, // [vocabulary, hidden]
    layers: Vec<Layer>,
    output_norm: Vec<f32>, // [hidden]
    head: ScoringHead,
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
        let vocabulary = reader.info(EMBEDDING)?.dims[0];
        check_vocabulary(vocabulary, tokenizer)?;
        let mut weights = Weights::new(reader, &config, reserve_bytes, progress)?;
        let output_norm = weights.output_norm()?;
        let head = weights.scoring_head(tokenizer)?;
        let embedding = weights.embedding()?;
        let mut sink = LayerSink::default();
        weights.layers(&mut sink)?;
        let layers = sink.into_layers();
        Ok(Self { config, embedding, layers, output_norm, head })
    }

    /// What the file holds; `name` and `max_length` are the caller's.
    pub fn info<R>(&self, reader: &Reader<R>, name: String, max_length: usize) -> ModelInfo {
        let mut types = BTreeMap::new();
        let mut parameters = 0;
        for info in reader.tensors.values() {
            *types.entry(info.dtype.name().to_string()).or_default() += 1;
            parameters += info.elements();
        }
        ModelInfo {
            name,
            config: self.config.clone(),
            vocabulary_size: self.vocabulary_size(),
            max_length,
            head: self.head.source,
            types,
            parameters,
            file_size: reader.size,
            warnings: self.head.warnings.clone(),
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
    pub(super) fn embed(&self, ids: &[u32]) -> Result<Vec<f32>> {
        self.embedding.rows_of(ids)
    }

    /// Logit of yes less logit of no for each row of `hidden` `[rows, hidden]`.
    pub(super) fn margins(&self, mut hidden: Vec<f32>) -> Vec<f32> {
        kernel::rms_norm(&mut hidden, &self.output_norm, self.config.rms_norm_eps as f32);
        hidden.chunks_exact(self.config.hidden_size).map(|row| self.head.rows.margin(row)).collect()
    }

    /// The matrix products of a pass of `tokens` tokens, ready to be multiplied.
    #[cfg(any(feature = "native", target_arch = "wasm32"))]
    pub fn products(&self, tokens: usize) -> Products<'_> {
        Products::new(&self.config, &self.layers, tokens)
    }

    /// The layers, first to last.
    pub(super) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes of keys and values that one token of a prefix takes.
    pub fn prefix_bytes_per_token(&self) -> usize {
        self.layers.len() * self.config.kv_size() * 2 * size_of::<f32>()
    }
}

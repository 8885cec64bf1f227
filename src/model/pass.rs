//! One run of tokens through the layers, a layer a step.
//!
//! A reranker only prefills, so a run goes layer by layer: keys and values of
//! its own tokens are needed within a layer and dropped after it, and memory
//! does not grow with depth. Only the shared prefix keeps those of every layer.

use std::iter;
use std::sync::Arc;

use super::Model;
use super::layer::Place;
use crate::batch::Batch;
use crate::kernel::{KeysValues, Query, Rope};
use crate::{Error, Result};

/// Keys and values of the tokens that all documents of a request begin with.
#[derive(Default)]
pub struct Prefix {
    tokens: usize,
    /// By layer: keys and values, each `[tokens, kv_heads, head_dim]`.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
}

/// What a pass is for.
enum Goal {
    /// To fill a prefix.
    Prefix(Prefix),
    /// To score documents behind a prefix.
    Margins(Arc<Prefix>),
}

/// Tokens on their way through the layers.
pub struct Pass {
    goal: Goal,
    rope: Rope,
    /// Values of the rows still needed: `[rows, hidden]`.
    hidden: Vec<f32>,
    /// The token of each row.
    rows: Vec<Query>,
    /// Row of each document's last token.
    last: Vec<usize>,
    layer: usize,
}

impl Pass {
    /// A pass that fills a prefix with `ids`.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if an id is outside the embedding.
    pub fn prefix(model: &Model, ids: &[u32]) -> Result<Self> {
        let batch = Batch { ids: ids.to_vec(), segments: iter::once(0..ids.len()).collect() };
        let prefix = Prefix { tokens: ids.len(), layers: Vec::new() };
        Self::new(model, &batch, 0, Goal::Prefix(prefix))
    }

    /// A pass that scores the documents of `batch` behind `prefix`.
    ///
    /// # Errors
    /// As [`Pass::prefix`].
    pub fn documents(model: &Model, batch: &Batch, prefix: Arc<Prefix>) -> Result<Self> {
        Self::new(model, batch, prefix.tokens, Goal::Margins(prefix))
    }

    fn new(model: &Model, batch: &Batch, offset: usize, goal: Goal) -> Result<Self> {
        let hidden = model.embed(&batch.ids)?;
        let rows = batch
            .segments
            .iter()
            .flat_map(|segment| segment.clone().map(|token| Query { start: segment.start, token }))
            .collect();
        let last = batch.segments.iter().map(|segment| segment.end - 1).collect();
        let longest = batch.segments.iter().map(|segment| segment.len()).max().unwrap_or(0);
        let config = &model.config;
        let rope = Rope::new(offset..offset + longest, config.head_dim, config.rope_theta);
        Ok(Self { goal, rope, hidden, rows, last, layer: 0 })
    }

    /// Tokens that still go through layers; before the last, all of the pass.
    pub fn tokens(&self) -> usize {
        self.rows.len()
    }

    /// Runs one layer; `true` while there are more.
    pub fn step(&mut self, model: &Model) -> bool {
        let Some(layer) = model.layers.get(self.layer) else { return false };
        let is_last = self.layer + 1 == model.layers.len();
        let config = &model.config;
        let empty = KeysValues { keys: &[], values: &[] };
        let (offset, prefix) = match &self.goal {
            Goal::Prefix(_) => (0, empty),
            Goal::Margins(prefix) => (prefix.tokens, prefix.layer(self.layer)),
        };
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        let place = Place { rows: &self.rows, offset, rope: &self.rope };
        layer.keys_values(config, &self.hidden, &place, &mut keys, &mut values);
        if is_last {
            // Of the last layer, only documents' last tokens are read; of a prefix, none.
            let keep = if matches!(self.goal, Goal::Prefix(_)) { &[][..] } else { &self.last };
            let row = |&row: &usize| &self.hidden[row * config.hidden_size..][..config.hidden_size];
            self.hidden = keep.iter().flat_map(row).copied().collect();
            self.rows = keep.iter().map(|&row| self.rows[row]).collect();
        }
        let place = Place { rows: &self.rows, offset, rope: &self.rope };
        let own = KeysValues { keys: &keys, values: &values };
        layer.update(config, &mut self.hidden, &place, prefix, own);
        if let Goal::Prefix(prefix) = &mut self.goal {
            prefix.layers.push((keys, values));
        }
        self.layer += 1;
        !is_last
    }

    /// The prefix that a finished pass of [`Pass::prefix`] filled.
    ///
    /// # Panics
    /// If the pass is another or not finished.
    pub fn into_prefix(self, model: &Model) -> Prefix {
        assert_eq!(self.layer, model.layers.len(), "the pass is finished");
        match self.goal {
            Goal::Prefix(prefix) => prefix,
            Goal::Margins(_) => panic!("the pass fills no prefix: bug"),
        }
    }

    /// Logit of yes less logit of no by document, from a finished pass of
    /// [`Pass::documents`].
    ///
    /// # Panics
    /// If the pass is not finished.
    pub fn into_margins(self, model: &Model) -> Vec<f32> {
        assert_eq!(self.layer, model.layers.len(), "the pass is finished");
        model.margins(self.hidden)
    }
}

impl Prefix {
    fn layer(&self, index: usize) -> KeysValues<'_> {
        match self.layers.get(index) {
            Some((keys, values)) => KeysValues { keys, values },
            None => KeysValues { keys: &[], values: &[] },
        }
    }
}

/// The error for an id that the embedding lacks.
pub(super) fn id_outside(id: u32, rows: usize) -> Error {
    Error::model("token_embd.weight", format!("has {rows} rows, but the text holds token {id}"))
}

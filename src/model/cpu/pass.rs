//! One run of tokens through the layers, a layer a step.
//!
//! A reranker only prefills, so a run goes layer by layer: keys and values of
//! its own tokens are needed within a layer and overwritten by the next, and memory
//! does not grow with depth. Only the shared prefix keeps those of every layer.

use std::sync::Arc;

use super::layer::{Place, Room};
use crate::Result;
use crate::engine::batch::Batch;
use crate::kernel::{self, KeysValues, Query, Rope};
use crate::model::Model;

/// Keys and values of the tokens that all documents of a request begin with.
#[derive(Default)]
pub struct Prefix {
    ids: Vec<u32>,
    /// By layer: keys and values, each `[tokens, kv_heads, head_dim]`.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
}

/// What a pass stands behind: the first tokens of a prefix, maybe none.
#[derive(Clone, Default)]
pub struct Behind {
    /// Whose tokens.
    pub prefix: Arc<Prefix>,
    /// How many of them.
    pub tokens: usize,
}

/// Tokens on their way through the layers.
pub struct Pass {
    /// The prefix that it fills, if any.
    filled: Option<Prefix>,
    behind: Behind,
    rope: Rope,
    /// Values of the rows still needed: `[rows, hidden]`.
    hidden: Vec<f32>,
    /// The token of each row.
    rows: Vec<Query>,
    /// Row of the last token of each document that is to be scored.
    last: Vec<usize>,
    layer: usize,
    /// Keys and values of the last layer that ran, each `[tokens, kv_heads, head_dim]`.
    keys: Vec<f32>,
    values: Vec<f32>,
    room: Room,
}

impl Pass {
    /// A pass that fills a prefix with `ids`, the first of which `behind` has already.
    ///
    /// # Errors
    /// [`crate::Error::InvalidModel`] if an id is outside the embedding.
    pub fn prefix(model: &Model, ids: &[u32], behind: Behind) -> Result<Self> {
        let own = Batch::single(&ids[behind.tokens..]);
        Ok(Self { last: Vec::new(), ..Self::documents(model, &own, behind)? }.filling(ids))
    }

    /// A pass that scores one document, `rest`, and fills the prefix `ids` that it stands behind.
    ///
    /// # Errors
    /// As [`Pass::prefix`].
    pub fn whole(model: &Model, ids: &[u32], rest: &[u32], behind: Behind) -> Result<Self> {
        let own = Batch::single(&[&ids[behind.tokens..], rest].concat());
        Ok(Self::documents(model, &own, behind)?.filling(ids))
    }

    fn filling(mut self, ids: &[u32]) -> Self {
        self.filled = Some(Prefix { ids: ids.to_vec(), layers: Vec::new() });
        self
    }

    /// A pass that scores the documents of `batch` behind a prefix.
    ///
    /// # Errors
    /// As [`Pass::prefix`].
    pub fn documents(model: &Model, batch: &Batch, behind: Behind) -> Result<Self> {
        let hidden = model.embed(&batch.ids)?;
        let rows = batch
            .segments
            .iter()
            .flat_map(|segment| segment.clone().map(|token| Query { start: segment.start, token }))
            .collect();
        let last = batch.segments.iter().map(|segment| segment.end - 1).collect();
        let longest = batch.segments.iter().map(|segment| segment.len()).max().unwrap_or(0);
        let config = &model.config;
        let positions = behind.tokens..behind.tokens + longest;
        let rope = Rope::new(positions, config.head_dim, config.rope_theta);
        let keys = vec![0.0; batch.ids.len() * config.kv_size()];
        let values = keys.clone();
        let room = Room::default();
        Ok(Self { filled: None, behind, rope, hidden, rows, last, layer: 0, keys, values, room })
    }

    /// Tokens that still go through layers; before the last, all of the pass.
    pub fn tokens(&self) -> usize {
        self.rows.len()
    }

    /// Runs one layer; `true` while there are more.
    pub fn step(&mut self, model: &Model) -> bool {
        kernel::on_threads(|| self.run_layer(model))
    }

    fn run_layer(&mut self, model: &Model) -> bool {
        let Some(layer) = model.layers.get(self.layer) else { return false };
        let is_last = self.layer + 1 == model.layers.len();
        let config = &model.config;
        let offset = self.behind.tokens;
        let prefix = self.behind.layer(self.layer, config.kv_size());
        let (keys, values) = (&mut self.keys, &mut self.values);
        let place = Place { rows: &self.rows, offset, rope: &self.rope };
        layer.keys_values(config, &self.hidden, &place, &mut self.room, keys, values);
        if is_last {
            // Of the last layer, only documents' last tokens are read; of a prefix, none.
            let keep = &self.last;
            let row = |&row: &usize| &self.hidden[row * config.hidden_size..][..config.hidden_size];
            self.hidden = keep.iter().flat_map(row).copied().collect();
            self.rows = keep.iter().map(|&row| self.rows[row]).collect();
        }
        let place = Place { rows: &self.rows, offset, rope: &self.rope };
        let own = KeysValues { keys, values };
        layer.update(config, &mut self.hidden, &place, &mut self.room, [prefix, own]);
        if let Some(filled) = &mut self.filled {
            let end = (filled.ids.len() - offset) * config.kv_size();
            let whole = |before: &[f32], own: &[f32]| [before, &own[..end]].concat();
            filled.layers.push((whole(prefix.keys, keys), whole(prefix.values, values)));
        }
        self.layer += 1;
        !is_last
    }

    /// The prefix that a finished pass has filled, if it was to fill one.
    ///
    /// # Panics
    /// If the pass is not finished.
    pub fn take_prefix(&mut self, model: &Model) -> Option<Prefix> {
        assert_eq!(self.layer, model.layers.len(), "the pass is finished");
        self.filled.take()
    }

    /// Logit of yes less logit of no by document, from a finished pass; none of [`Pass::prefix`].
    ///
    /// # Panics
    /// If the pass is not finished.
    pub fn into_margins(self, model: &Model) -> Vec<f32> {
        assert_eq!(self.layer, model.layers.len(), "the pass is finished");
        model.margins(self.hidden)
    }
}

impl Prefix {
    /// Of tokens and, by layer, their keys and values, each `[tokens, kv_heads, head_dim]`.
    #[cfg(test)]
    pub fn new(ids: Vec<u32>, layers: Vec<(Vec<f32>, Vec<f32>)>) -> Self {
        Self { ids, layers }
    }

    /// Its tokens.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Bytes of its keys and values.
    pub fn bytes(&self) -> usize {
        let of = |(keys, values): &(Vec<f32>, Vec<f32>)| {
            size_of_val(&keys[..]) + size_of_val(&values[..])
        };
        self.layers.iter().map(of).sum()
    }

    /// A copy of its first tokens.
    pub fn first(&self, tokens: usize) -> Self {
        let all = self.ids.len();
        let part = |values: &Vec<f32>| values[..values.len() / all * tokens].to_vec();
        let layers = self.layers.iter().map(|(keys, values)| (part(keys), part(values)));
        Self { ids: self.ids[..tokens].to_vec(), layers: layers.collect() }
    }
}

impl Behind {
    /// All tokens of a prefix.
    pub fn whole(prefix: Arc<Prefix>) -> Self {
        Self { tokens: prefix.ids.len(), prefix }
    }

    /// Keys and values of a layer, `width` values a token each.
    fn layer(&self, index: usize, width: usize) -> KeysValues<'_> {
        match self.prefix.layers.get(index) {
            Some((keys, values)) => {
                let end = self.tokens * width;
                KeysValues { keys: &keys[..end], values: &values[..end] }
            }
            None => KeysValues { keys: &[], values: &[] },
        }
    }
}

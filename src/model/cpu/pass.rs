//! One batch through the layers on the processor, a layer a step.
//!
//! A reranker only prefills, so a batch goes layer by layer: keys and values of
//! its own tokens are needed within a layer and overwritten by the next, and memory
//! does not grow with depth. Only recorded prefixes keep those of every layer.

use super::kv::LayerKeysValues;
use super::layer::{Layer, Scratch, Shared};
use super::rows::Rows;
use crate::kernel::{self, KeysValues, Rope};
use crate::model::batch::{Batch, Segment};
use crate::model::config::Config;
use crate::model::kv_prefix::KvPrefix;

/// A batch on its way through the layers.
pub struct CpuPass {
    segments: Vec<Segment>,
    /// By recorded segment: its index, and its layers so far.
    recordings: Vec<Recording>,
    rope: Rope,
    /// Values of the rows that are still needed: `[rows, hidden]`.
    hidden: Vec<f32>,
    rows: Rows,
    /// Layers that have run.
    layer: usize,
    /// Keys and values of the batch's tokens in the layer that ran last, each `[tokens, kv_heads, head_dim]`.
    keys: Vec<f32>,
    values: Vec<f32>,
    scratch: Scratch,
}

/// Keys and values of a segment's leading tokens on their way into a [`KvPrefix`].
struct Recording {
    segment: usize,
    ids: Vec<u32>,
    layers: Vec<LayerKeysValues>,
}

impl CpuPass {
    /// A pass of `batch`, whose embedded tokens are `hidden` `[tokens, hidden]`.
    pub fn new(config: &Config, batch: Batch, hidden: Vec<f32>) -> Self {
        let Batch { ids, segments } = batch;
        let rows = Rows::all(&segments);
        let rope = Rope::new(rows.positions(), &config.rope_frequencies());
        let recordings = segments.iter().enumerate().filter_map(|(index, segment)| {
            let own = segment.recorded.checked_sub(segment.prefix.tokens).filter(|own| *own > 0)?;
            let own = &ids[segment.tokens.start..segment.tokens.start + own];
            let ids = [segment.prefix.ids(), own].concat();
            Some(Recording { segment: index, ids, layers: Vec::new() })
        });
        let recordings = recordings.collect();
        let keys = vec![0.0; ids.len() * config.kv_size()];
        let (values, scratch) = (keys.clone(), Scratch::default());
        Self { recordings, segments, rope, hidden, rows, layer: 0, keys, values, scratch }
    }

    /// Runs one layer; `true` while there are more.
    pub fn step(&mut self, config: &Config, layers: &[Layer]) -> bool {
        kernel::on_threads(|| self.run_layer(config, layers))
    }

    fn run_layer(&mut self, config: &Config, layers: &[Layer]) -> bool {
        let Some(layer) = layers.get(self.layer) else { return false };
        let is_last = self.layer + 1 == layers.len();
        let shared = Shared { config, rope: &self.rope, layer: self.layer };
        let (keys, values) = (&mut self.keys, &mut self.values);
        layer.keys_values(shared, &self.hidden, &self.rows, &mut self.scratch, keys, values);
        if is_last {
            self.keep_scored(config.hidden_size);
        }
        let shared = Shared { config, rope: &self.rope, layer: self.layer };
        let own = KeysValues { keys: &self.keys, values: &self.values };
        layer.update(shared, &mut self.hidden, &self.rows, &mut self.scratch, own);
        self.record(config.kv_size());
        self.layer += 1;
        !is_last
    }

    /// Drops all rows but the last of scored segments: of the last layer, nothing else is read.
    fn keep_scored(&mut self, hidden_size: usize) {
        let scored = self.segments.iter().filter(|segment| segment.scored);
        let last: Vec<usize> = scored.map(|segment| segment.tokens.end - 1).collect();
        let row = |&row: &usize| &self.hidden[row * hidden_size..][..hidden_size];
        self.hidden = last.iter().flat_map(row).copied().collect();
        self.rows = self.rows.select(&last);
    }

    /// Copies the keys and values of the layer that ran, `width` values a token.
    fn record(&mut self, width: usize) {
        for Recording { segment, ids, layers } in &mut self.recordings {
            let Segment { tokens, prefix, .. } = &self.segments[*segment];
            let start = tokens.start * width;
            let own = KeysValues { keys: &self.keys[start..], values: &self.values[start..] };
            let count = (ids.len() - prefix.tokens) * width;
            let before = prefix.cpu_layer(self.layer, width);
            layers.push(LayerKeysValues::joined(before, own, count));
        }
    }

    /// The last layer's values of each scored segment's last token, `[scored, hidden]`, and by
    /// recorded segment its index and prefix.
    ///
    /// # Panics
    /// If a layer has not run.
    pub fn finish(self, layers: &[Layer]) -> (Vec<f32>, Vec<(usize, KvPrefix)>) {
        assert_eq!(self.layer, layers.len(), "all layers have run: bug");
        let recorded = self.recordings.into_iter();
        let recorded = recorded.map(|r| (r.segment, KvPrefix::on_cpu(r.ids, r.layers)));
        (self.hidden, recorded.collect())
    }
}

//! The matrix products of a pass without the rest: how fast it could be, were all else free.
//! The feed-forward part counts as one product, gate included, as the kernels compute it.

use std::hint::black_box;

use super::layer::Layer;
use crate::kernel::{feed_forward, multiply_into, on_threads};
use crate::model::config::Config;

/// The matrix products of passes of so many tokens.
pub struct Products<'a> {
    layers: &'a [Layer],
    hidden: Vec<f32>,
    heads: Vec<f32>,
    out: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl<'a> Products<'a> {
    /// The products of a pass of `tokens` tokens, ready to be multiplied.
    pub fn new(config: &Config, layers: &'a [Layer], tokens: usize) -> Self {
        // About as large as normed values are: of larger ones the gate would make floats so small
        // that processors take longer for them.
        let some = |width: usize| -> Vec<f32> {
            (0..tokens * width).map(|i| (i * 31 % 255) as f32 / 127.0 - 1.0).collect()
        };
        let heads = config.query_size();
        Self {
            layers,
            hidden: some(config.hidden_size),
            heads: some(heads),
            out: some(config.hidden_size),
            queries: some(heads),
            keys: some(config.kv_size()),
            values: some(config.kv_size()),
        }
    }

    /// Multiplies all matrices, in the order of a pass and with all tokens at once, and does
    /// nothing else.
    pub fn multiply(&mut self) {
        on_threads(|| self.multiply_all());
    }

    fn multiply_all(&mut self) {
        let Self { layers, hidden, heads, out, queries, keys, values } = self;
        for (index, layer) in layers.iter().enumerate() {
            multiply_into([&layer.attn_k, &layer.attn_v], hidden, [keys, values]);
            // Of the last layer, only the last token needs more.
            if index + 1 == layers.len() {
                break;
            }
            multiply_into([&layer.attn_q], hidden, [queries]);
            layer.attn_output.add_to(heads, out);
            feed_forward(&layer.ffn_gate, &layer.ffn_up, &layer.ffn_down, hidden, out);
            black_box((&mut *keys, &mut *values, &mut *queries, &mut *out));
        }
    }
}

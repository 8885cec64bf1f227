//! The matrix products of a pass without the rest: how fast it could be, were all else free.
//! The feed-forward part counts as one product, gate included, as the kernels compute it.

use std::hint::black_box;

use super::Model;
use crate::kernel::{feed_forward, multiply_into, on_threads};

impl Model {
    /// Multiplies what a pass of `tokens` tokens multiplies, in the same order, and does nothing else.
    pub fn products_alone(&self, tokens: usize) {
        on_threads(|| self.multiply_all(tokens));
    }

    fn multiply_all(&self, tokens: usize) {
        // About as large as normed values are: of larger ones the gate would make floats so small
        // that processors take longer for them.
        let some = |width: usize| -> Vec<f32> {
            (0..tokens * width).map(|i| (i * 31 % 255) as f32 / 127.0 - 1.0).collect()
        };
        let config = &self.config;
        let hidden = some(config.hidden_size);
        let heads = some(config.heads * config.head_dim);
        let mut out = some(config.hidden_size);
        let mut queries = some(config.heads * config.head_dim);
        let [mut keys, mut values] = [(); 2].map(|()| some(config.kv_size()));
        for (index, layer) in self.layers.iter().enumerate() {
            multiply_into([&layer.attn_k, &layer.attn_v], &hidden, [&mut keys, &mut values]);
            // Of the last layer, only the last token needs more.
            if index + 1 == self.layers.len() {
                break;
            }
            multiply_into([&layer.attn_q], &hidden, [&mut queries]);
            layer.attn_output.add_to(&heads, &mut out);
            feed_forward(&layer.ffn_gate, &layer.ffn_up, &layer.ffn_down, &hidden, &mut out);
            black_box((&mut keys, &mut values, &mut queries, &mut out));
        }
    }
}

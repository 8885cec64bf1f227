//! One Qwen3 layer: grouped-query attention with normed heads, then SwiGLU.
//!
//! Names are the checkpoint's. A layer runs in two steps, so that only its own
//! keys and values are held for all tokens: [`Layer::keys_values`] for every
//! token, then [`Layer::update`] for the rows that the next layer needs.

use super::rows::Rows;
use crate::kernel::{self, KeysValues, Linear, Rope};
use crate::model::config::Config;

/// Rows that go through a layer at once, which bounds scratch memory.
const CHUNK_ROWS: usize = 512;

/// Weights of one layer.
pub struct Layer {
    pub attn_norm: Vec<f32>,   // [hidden]
    pub attn_q: Linear,        // [heads · head_dim, hidden]
    pub attn_k: Linear,        // [kv_heads · head_dim, hidden]
    pub attn_v: Linear,        // [kv_heads · head_dim, hidden]
    pub attn_output: Linear,   // [hidden, heads · head_dim]
    pub attn_q_norm: Vec<f32>, // [head_dim]
    pub attn_k_norm: Vec<f32>, // [head_dim]
    pub ffn_norm: Vec<f32>,    // [hidden]
    pub ffn_gate: Linear,      // [ffn, hidden]
    pub ffn_up: Linear,        // [ffn, hidden]
    pub ffn_down: Linear,      // [hidden, ffn]
}

/// Buffers of a layer's intermediate values, kept from layer to layer: filling new ones with zeros
/// takes a percent of the time.
#[derive(Default)]
pub struct Scratch {
    normed: Vec<f32>,
    queries: Vec<f32>,
    attended: Vec<f32>,
}

/// The first `length` values of a buffer, whatever they are.
fn first(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

/// What all rows of a layer share.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    /// The model's sizes.
    pub config: &'a Config,
    /// Tables for all positions of the batch.
    pub rope: &'a Rope,
    /// Index of the layer.
    pub layer: usize,
}

impl Layer {
    /// All matrices.
    pub fn matrices(&self) -> [&Linear; 7] {
        let Self { attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down, .. } = self;
        [attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down]
    }

    /// Keys and values, each `[tokens, kv_heads, head_dim]`, of `hidden`
    /// `[tokens, hidden]`; they overwrite what the two slices hold.
    pub fn keys_values(
        &self,
        Shared { config, rope, .. }: Shared<'_>,
        hidden: &[f32],
        rows: &Rows,
        scratch: &mut Scratch,
        keys: &mut [f32],
        values: &mut [f32],
    ) {
        let eps = config.rms_norm_eps as f32;
        let size = CHUNK_ROWS * config.kv_size();
        let own = keys.chunks_mut(size).zip(values.chunks_mut(size));
        for (chunk, (hidden, (k, v))) in
            hidden.chunks(CHUNK_ROWS * config.hidden_size).zip(own).enumerate()
        {
            let x = first(&mut scratch.normed, hidden.len());
            kernel::rms_norm_into(hidden, &self.attn_norm, eps, x);
            kernel::multiply_into([&self.attn_k, &self.attn_v], x, [&mut *k, v]);
            kernel::rms_norm(k, &self.attn_k_norm, eps);
            rope.apply(k, config.num_key_value_heads, |row| {
                rows.position(chunk * CHUNK_ROWS + row)
            });
        }
    }

    /// Carries `hidden` `[rows, hidden]` through the layer; `own` are the keys and values of all
    /// tokens of the batch.
    pub fn update(
        &self,
        shared: Shared<'_>,
        hidden: &mut [f32],
        rows: &Rows,
        scratch: &mut Scratch,
        own: KeysValues<'_>,
    ) {
        let config = shared.config;
        for (chunk, hidden) in hidden.chunks_mut(CHUNK_ROWS * config.hidden_size).enumerate() {
            self.attend(shared, hidden, rows, chunk * CHUNK_ROWS, scratch, own);
            self.feed_forward(config, hidden, scratch);
        }
    }

    fn attend(
        &self,
        shared: Shared<'_>,
        hidden: &mut [f32],
        rows: &Rows,
        first_row: usize,
        scratch: &mut Scratch,
        own: KeysValues<'_>,
    ) {
        let Shared { config, rope, layer } = shared;
        let eps = config.rms_norm_eps as f32;
        let chunk = first_row..first_row + hidden.len() / config.hidden_size;
        let width = config.query_size();
        let x = first(&mut scratch.normed, hidden.len());
        let q = first(&mut scratch.queries, chunk.len() * width);
        let out = first(&mut scratch.attended, q.len());
        kernel::rms_norm_into(hidden, &self.attn_norm, eps, x);
        kernel::multiply_into([&self.attn_q], x, [&mut *q]);
        kernel::rms_norm(q, &self.attn_q_norm, eps);
        rope.apply(q, config.num_attention_heads, |row| rows.position(first_row + row));
        for run in rows.runs(chunk) {
            let values = (run.rows.start - first_row) * width..(run.rows.end - first_row) * width;
            let prefix = run.prefix.cpu_layer(layer, config.kv_size());
            let (q, out) = (&q[values.clone()], &mut out[values]);
            kernel::attention(config.heads(), q, rows.tokens(run.rows), prefix, own, out);
        }
        self.attn_output.add_to(out, hidden);
    }

    fn feed_forward(&self, config: &Config, hidden: &mut [f32], scratch: &mut Scratch) {
        let x = first(&mut scratch.normed, hidden.len());
        kernel::rms_norm_into(hidden, &self.ffn_norm, config.rms_norm_eps as f32, x);
        kernel::feed_forward(&self.ffn_gate, &self.ffn_up, &self.ffn_down, x, hidden);
    }
}

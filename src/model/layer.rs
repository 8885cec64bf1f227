//! One Qwen3 layer: grouped-query attention with normed heads, then SwiGLU.
//!
//! Names are the checkpoint's. A layer runs in two steps, so that only its own
//! keys and values are held for all tokens: [`Layer::keys_values`] for every
//! token, then [`Layer::update`] for the rows that the next layer needs.

use super::config::Config;
use crate::kernel::{self, KeysValues, Linear, Query, Rope};

/// Rows that go through a layer at once, which bounds scratch memory.
const ROWS: usize = 512;

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

/// Where tokens stand: their place in the batch, their document's start there,
/// and what precedes every document.
pub struct Place<'a> {
    /// By row of `hidden`.
    pub rows: &'a [Query],
    /// Tokens of the shared prefix.
    pub offset: usize,
    /// Tables for all positions of the batch.
    pub rope: &'a Rope,
}

impl Place<'_> {
    fn position(&self, row: usize) -> usize {
        self.offset + self.rows[row].token - self.rows[row].start
    }
}

impl Layer {
    /// All matrices.
    pub fn matrices(&self) -> [&Linear; 7] {
        let Self { attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down, .. } = self;
        [attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down]
    }

    /// Keys and values, each `[tokens, kv_heads, head_dim]`, of `hidden`
    /// `[tokens, hidden]`; appended to the two vectors.
    pub fn keys_values(
        &self,
        config: &Config,
        hidden: &[f32],
        place: &Place<'_>,
        keys: &mut Vec<f32>,
        values: &mut Vec<f32>,
    ) {
        let eps = config.rms_norm_eps as f32;
        for (chunk, hidden) in hidden.chunks(ROWS * config.hidden_size).enumerate() {
            let mut x = hidden.to_vec();
            kernel::rms_norm(&mut x, &self.attn_norm, eps);
            let [mut k, v] = kernel::multiply([&self.attn_k, &self.attn_v], &x);
            kernel::rms_norm(&mut k, &self.attn_k_norm, eps);
            place.rope.apply(&mut k, config.kv_heads, |row| place.position(chunk * ROWS + row));
            keys.extend_from_slice(&k);
            values.extend_from_slice(&v);
        }
    }

    /// Carries `hidden` `[rows, hidden]`, the tokens that `place` names,
    /// through the layer.
    pub fn update(
        &self,
        config: &Config,
        hidden: &mut [f32],
        place: &Place<'_>,
        prefix: KeysValues<'_>,
        own: KeysValues<'_>,
    ) {
        for (chunk, hidden) in hidden.chunks_mut(ROWS * config.hidden_size).enumerate() {
            self.attend(config, hidden, place, chunk * ROWS, prefix, own);
            self.feed_forward(config, hidden);
        }
    }

    fn attend(
        &self,
        config: &Config,
        hidden: &mut [f32],
        place: &Place<'_>,
        first: usize,
        prefix: KeysValues<'_>,
        own: KeysValues<'_>,
    ) {
        let eps = config.rms_norm_eps as f32;
        let mut x = hidden.to_vec();
        kernel::rms_norm(&mut x, &self.attn_norm, eps);
        let mut q = self.attn_q.forward(&x);
        kernel::rms_norm(&mut q, &self.attn_q_norm, eps);
        place.rope.apply(&mut q, config.heads, |row| place.position(first + row));
        let rows = &place.rows[first..first + hidden.len() / config.hidden_size];
        let mut out = vec![0.0; q.len()];
        kernel::attention(config.heads(), &q, rows, prefix, own, &mut out);
        self.attn_output.add_to(&out, hidden);
    }

    fn feed_forward(&self, config: &Config, hidden: &mut [f32]) {
        let mut x = hidden.to_vec();
        kernel::rms_norm(&mut x, &self.ffn_norm, config.rms_norm_eps as f32);
        kernel::feed_forward(&self.ffn_gate, &self.ffn_up, &self.ffn_down, &x, hidden);
    }
}

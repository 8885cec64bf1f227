//! One Qwen3 layer: grouped-query attention with normed heads, then SwiGLU.
//!
//! Names are the checkpoint's. A layer runs in two steps, so that only its own
//! keys and values are held for all tokens: [`Layer::keys_values`] for every
//! token, then [`Layer::update`] for the rows that the next layer needs.

use crate::kernel::{self, KeysValues, Linear, Query, Rope};
use crate::model::config::Config;

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

/// What a layer computes in, kept from layer to layer: to fill memory with zeros takes a percent of
/// the time.
#[derive(Default)]
pub struct Room {
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
    /// `[tokens, hidden]`; they overwrite what the two slices hold.
    pub fn keys_values(
        &self,
        config: &Config,
        hidden: &[f32],
        place: &Place<'_>,
        room: &mut Room,
        keys: &mut [f32],
        values: &mut [f32],
    ) {
        let eps = config.rms_norm_eps as f32;
        let size = ROWS * config.kv_size();
        let own = keys.chunks_mut(size).zip(values.chunks_mut(size));
        for (chunk, (hidden, (k, v))) in
            hidden.chunks(ROWS * config.hidden_size).zip(own).enumerate()
        {
            let x = first(&mut room.normed, hidden.len());
            kernel::rms_norm_into(hidden, &self.attn_norm, eps, x);
            kernel::multiply_into([&self.attn_k, &self.attn_v], x, [&mut *k, v]);
            kernel::rms_norm(k, &self.attn_k_norm, eps);
            place.rope.apply(k, config.kv_heads, |row| place.position(chunk * ROWS + row));
        }
    }

    /// Carries `hidden` `[rows, hidden]`, the tokens that `place` names,
    /// through the layer. `seen` are the prefix's keys and values, and the tokens' own.
    pub fn update(
        &self,
        config: &Config,
        hidden: &mut [f32],
        place: &Place<'_>,
        room: &mut Room,
        seen: [KeysValues<'_>; 2],
    ) {
        for (chunk, hidden) in hidden.chunks_mut(ROWS * config.hidden_size).enumerate() {
            self.attend(config, hidden, place, chunk * ROWS, room, seen);
            self.feed_forward(config, hidden, room);
        }
    }

    fn attend(
        &self,
        config: &Config,
        hidden: &mut [f32],
        place: &Place<'_>,
        first_row: usize,
        room: &mut Room,
        [prefix, own]: [KeysValues<'_>; 2],
    ) {
        let eps = config.rms_norm_eps as f32;
        let count = hidden.len() / config.hidden_size;
        let x = first(&mut room.normed, hidden.len());
        let q = first(&mut room.queries, count * config.heads * config.head_dim);
        let out = first(&mut room.attended, q.len());
        kernel::rms_norm_into(hidden, &self.attn_norm, eps, x);
        kernel::multiply_into([&self.attn_q], x, [&mut *q]);
        kernel::rms_norm(q, &self.attn_q_norm, eps);
        place.rope.apply(q, config.heads, |row| place.position(first_row + row));
        let rows = &place.rows[first_row..first_row + count];
        kernel::attention(config.heads(), q, rows, prefix, own, out);
        self.attn_output.add_to(out, hidden);
    }

    fn feed_forward(&self, config: &Config, hidden: &mut [f32], room: &mut Room) {
        let x = first(&mut room.normed, hidden.len());
        kernel::rms_norm_into(hidden, &self.ffn_norm, config.rms_norm_eps as f32, x);
        kernel::feed_forward(&self.ffn_gate, &self.ffn_up, &self.ffn_down, x, hidden);
    }
}

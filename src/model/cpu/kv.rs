//! Keys and values of one layer in host memory.

use crate::kernel::KeysValues;

/// Keys and values of a layer, each `[tokens, kv_heads, head_dim]`.
pub struct LayerKeysValues {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl LayerKeysValues {
    /// Of `keys` and `values`, which are equally long.
    #[cfg(test)]
    pub fn new(keys: Vec<f32>, values: Vec<f32>) -> Self {
        Self { keys, values }
    }

    /// Those of `before`, then the first `width` values of `own`.
    pub fn joined(before: KeysValues<'_>, own: KeysValues<'_>, width: usize) -> Self {
        let join = |before: &[f32], own: &[f32]| [before, &own[..width]].concat();
        Self { keys: join(before.keys, own.keys), values: join(before.values, own.values) }
    }

    /// The first `values` values of both.
    pub fn first(&self, values: usize) -> KeysValues<'_> {
        KeysValues { keys: &self.keys[..values], values: &self.values[..values] }
    }

    /// A copy of the first `tokens` of `all` tokens.
    pub fn truncated(&self, tokens: usize, all: usize) -> Self {
        let part = |values: &[f32]| values[..values.len() / all * tokens].to_vec();
        Self { keys: part(&self.keys), values: part(&self.values) }
    }

    /// Bytes that both take.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.keys[..]) + size_of_val(&self.values[..])
    }
}

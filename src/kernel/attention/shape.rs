//! What attention is computed of: heads, keys and values, and the tokens of a batch.

/// The heads of attention (grouped-query: several query heads share keys and values).
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Values in a head.
    pub head_dim: usize,
}

/// Keys and values of consecutive tokens, each `[tokens, kv_heads, head_dim]`.
#[derive(Clone, Copy, Debug)]
pub struct KeysValues<'a> {
    /// Keys, rotated by their positions.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
}

/// A token and where its document starts, both as indices in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPosition {
    /// Index of the document's first token in the batch.
    pub start: usize,
    /// Index of the token itself in the batch.
    pub token: usize,
}

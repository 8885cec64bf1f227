//! Causal attention of ragged documents behind a shared prefix.
//!
//! Sixteen queries that share a document and a key head are computed at a time, one in each lane of
//! the vectors; keys and values are read where they lie. The softmax is online
//! (Milakov and Gimelshein, 2018) over blocks of keys, so that a whole row of logits
//! is never held (Dao et al., 2022). Blocks begin at fixed positions and
//! sums run in the keys' order: the length of the prefix changes no bit.
//!
//! `attend` runs the tiles, `tile` reads queries and writes results, `products` has the two
//! products with keys and values, `softmax` what lies between them.

mod attend;
mod products;
mod shape;
mod softmax;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;

pub use attend::attention;
pub use shape::{AttentionShape, KeysValues, TokenPosition};

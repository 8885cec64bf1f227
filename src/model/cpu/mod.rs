//! The layers on the processor.
//!
//! `layer` is one transformer layer, `sink` packs its weights as they are read, `pass` runs a batch through all of them, `rows` says where
//! each token of the batch stands, `kv` holds keys and values of prefixes.

pub mod kv;
pub mod layer;
pub mod pass;
#[cfg(any(feature = "native", target_arch = "wasm32"))]
pub mod products;
mod rows;
pub mod sink;

//! The few hot operations of the model, on plain slices.
//!
//! Matrices are row-major; a token's values lie together. Each function states
//! its shapes and asserts them, so that all are safe to call. Float operations
//! are never fused and run in one fixed order, and `exp` is our own, so that
//! every backend, machine and number of threads computes the same bits.
//!
//! `matmul` multiplies with weights, `attention`, `norm`, `rope` and
//! `activation` do the rest; `backend` knows the instruction sets, `lanes` their
//! vectors of floats, `threads` the threads, `cache` the cache.

mod activation;
mod attention;
mod backend;
#[cfg(feature = "bench")]
pub mod bench;
mod cache;
mod exp;
mod lanes;
mod matmul;
mod norm;
mod rope;
mod threads;

pub use attention::{Heads, KeysValues, Query, attention};
pub use backend::Backend;
pub use matmul::{Linear, feed_forward, multiply_into};
pub use norm::{rms_norm, rms_norm_into};
pub use rope::Rope;
pub use threads::{on_threads, threads};

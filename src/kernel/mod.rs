//! The few hot operations of the model, on plain slices.
//!
//! Matrices are row-major; a token's values lie together. Each function states
//! its shapes and asserts them, so that all are safe to call. Float operations
//! are never fused and run in one fixed order, and `exp` is our own, so that
//! every instruction set, machine and number of threads computes the same bits.
//!
//! `matmul` multiplies with weights; `attention`, `norm`, `rope` and `silu` are the other
//! operations. `isa` states the instruction sets and `select` chooses one of them, `lanes` holds
//! vectors of floats, `threads` shares loops among threads, `prefetch` asks for cache lines.

mod attention;
#[cfg(feature = "bench")]
pub mod bench;
mod exp;
mod isa;
mod lanes;
mod matmul;
mod norm;
mod prefetch;
#[cfg(target_feature = "relaxed-simd")]
mod probe;
mod rope;
mod select;
mod silu;
mod threads;

pub use attention::{AttentionShape, KeysValues, TokenPosition, attention};
pub use matmul::{Linear, feed_forward, multiply_into};
pub use norm::{rms_norm, rms_norm_into};
pub use rope::{Rope, RopeFrequencies, Yarn};
pub use select::best as best_isa;
pub use threads::{on_threads, threads};

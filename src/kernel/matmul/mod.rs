//! The matrix product of activations with a weight matrix from a file.
//!
//! ```text
//! raw GGUF blocks ─ blocks ─▶ pack ─▶ Matrix ─ panel ─▶ bytes and f32 scales of a run ─┐
//! activations [tokens, inputs] ─ quantize ─▶ Activations ─────────────────────────── tile ─▶ sums
//! ```
//!
//! * A [`Matrix`] holds its rows in panels of [`ROWS`], the rows interleaved so
//!   that a vector register holds the same inputs of several rows. It takes
//!   about the bytes that the file takes.
//! * One panel at a time, a run of blocks is widened to bytes and f32 scales that
//!   stay in cache, and multiplied with all tokens.
//! * Integer sums are exact. What follows is one multiplication by the weights'
//!   scale, one by the activations', and one addition, never fused, block after
//!   block: so every backend gives the same bits.
//!
//! `dispatch` chooses the kernel: `scalar`, or `tile` over one of `avx2`, `vnni`,
//! `simd128`, `relaxed` and `neon`. F32, F16 and BF16 matrices are multiplied in
//! f32 by `float`, their activations as they are.

#[cfg(feature = "bench")]
pub mod bench;
mod blocks;
mod dispatch;
mod feed_forward;
mod float;
mod linear;
mod pack;
mod panel;
mod quantize;
mod scalar;
#[cfg(test)]
mod tests;
mod tile;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod vnni;

#[cfg(target_feature = "relaxed-simd")]
mod probe;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

#[cfg(target_arch = "aarch64")]
mod neon;

pub use feed_forward::feed_forward;
pub use linear::{Linear, multiply_into};
use pack::Matrix;
use panel::Scratch;
#[cfg(target_feature = "relaxed-simd")]
pub(super) use probe::{fastest, relaxed_bytes};
use quantize::{Activations, Terms};

/// Rows of the matrix in a panel.
const ROWS: usize = 16;
/// Inputs that share one activation scale.
const BLOCK: usize = 32;
/// Inputs that one lane multiplies at once.
const STEP: usize = 4;
/// Lines of bytes in a block of a panel: one for each step.
const LINES: usize = BLOCK / STEP;

/// One step of a panel, `[ROWS, STEP]`; aligned, so that no vector load crosses cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; ROWS * STEP]);

impl Line {
    const ZERO: Self = Self([0; ROWS * STEP]);
}

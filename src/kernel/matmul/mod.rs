//! The matrix product of activations with a weight matrix from a file.
//!
//! ```text
//! raw GGUF blocks ─ decode ─▶ pack ─▶ PackedMatrix ─ widen ─▶ bytes and f32 scales of a range ─┐
//! activations [tokens, inputs] ─▶ QuantizedActivations ──────────────────────────────── tile ─▶ sums
//! ```
//!
//! * A [`layout::PackedMatrix`] holds its rows in panels of 16, the rows interleaved so
//!   that a vector register holds the same inputs of several rows. It takes
//!   about as many bytes as the file.
//! * One panel at a time, a range of blocks is widened to bytes and f32 scales that
//!   stay in cache, and multiplied with all tokens.
//! * Integer sums are exact. What follows is one multiplication by the weights'
//!   scale, one by the activations', and one addition, never fused, block after
//!   block: so every instruction set gives the same bits.
//!
//! `dispatch` chooses the kernel: `isa::scalar`, or `tile` over one of the others in `isa`.
//! F32, F16 and BF16 matrices are multiplied in f32 by `float`, their activations not rounded.

mod activations;
#[cfg(feature = "bench")]
pub mod bench;
mod dispatch;
mod feed_forward;
mod float;
mod input;
mod isa;
mod layout;
mod linear;
mod multiply;
mod output_columns;
#[cfg(target_feature = "relaxed-simd")]
pub(super) mod relaxed_check;
#[cfg(test)]
mod tests;
mod tile;

pub use feed_forward::feed_forward;
pub use linear::Linear;
pub use multiply::multiply_into;

//! The few hot operations of the model, on plain slices.
//!
//! Matrices are row-major; a token's values lie together. Each function states
//! its shapes and asserts them, so that all are safe to call. Sums run in one
//! fixed order and transcendental functions are `libm`'s, so that every machine
//! computes the same scores to the last bit. What depends on the platform is
//! decided in this file alone.

mod activation;
mod attention;
mod linear;
mod norm;
mod rope;

pub use activation::silu_mul;
pub use attention::{Heads, KeysValues, Query, attention};
pub use linear::Linear;
pub use norm::rms_norm;
pub use rope::Rope;

/// Calls `work(index, chunk)` for each `size`-long chunk of `data`, on all threads there are.
#[cfg(feature = "native")]
fn for_each_chunk(data: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    use rayon::prelude::*;
    data.par_chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}

/// Calls `work(index, chunk)` for each `size`-long chunk of `data`.
#[cfg(not(feature = "native"))]
fn for_each_chunk(data: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    data.chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}

/// Tokens whose sums the matrix product keeps in registers: WebAssembly has 16
/// of 4 values, other machines more or wider ones. Results do not depend on it.
const TOKENS: usize = if cfg!(target_arch = "wasm32") { 2 } else { 6 };

/// Lanes that sums run in, so that the compiler may use vector registers:
/// float addition is not associative, so it never reorders a plain sum itself.
const LANES: usize = 16;

/// Σ a·b over two slices of the same length.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let mut lanes = [0.0; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    #[test]
    fn dot_equals_the_plain_sum() {
        for length in [0, 1, 15, 16, 17, 128, 131] {
            let a: Vec<f32> = (0..length).map(|i| (i % 7) as f32 - 3.0).collect();
            let b: Vec<f32> = (0..length).map(|i| (i % 5) as f32 - 2.0).collect();
            let plain: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert_eq!(super::dot(&a, &b), plain);
        }
    }
}

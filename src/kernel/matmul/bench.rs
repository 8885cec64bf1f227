//! The matrix product by backend, open to benches/kernel.rs.

use candle_core::quantized::GgmlDType;

use super::linear::{Linear, multiply_on};
pub use crate::kernel::backend::Backend;

/// A matrix on a backend.
pub struct Product {
    matrix: Linear,
    backend: Backend,
}

impl Product {
    /// Packs a matrix `[outputs, inputs]` from a file's blocks.
    pub fn new(dtype: GgmlDType, raw: &[u8], shape: [usize; 2], backend: Backend) -> Self {
        Self { matrix: Linear::new(dtype, raw, shape[0], shape[1]), backend }
    }

    /// x · Wᵀ: `[tokens, inputs]` to `[tokens, outputs]`.
    pub fn run(&self, x: &[f32]) -> Vec<f32> {
        let [y] = multiply_on(self.backend, [&self.matrix], x);
        y
    }
}

//! The matrix product of activations with a weight matrix from a file.

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};

use crate::Result;

/// A weight matrix `[outputs, inputs]`, kept as the file stores it: quantized
/// types stay quantized, floating-point types become f32.
///
/// For quantized types candle rounds each token's inputs to 8 bits per block:
/// blocks of 32 values, or of 256 for the K types.
pub struct Linear {
    weight: QMatMul,
    outputs: usize,
    inputs: usize,
}

impl Linear {
    /// Takes a matrix from a file.
    ///
    /// # Errors
    /// If `weight` is not a matrix.
    pub fn new(weight: QTensor) -> Result<Self> {
        let (outputs, inputs) = weight.shape().dims2()?;
        Ok(Self { weight: QMatMul::from_qtensor(weight)?, outputs, inputs })
    }

    /// x · Wᵀ: `[tokens, inputs]` to `[tokens, outputs]`.
    ///
    /// # Errors
    /// If candle's product fails.
    pub fn forward(&self, x: &[f32]) -> Result<Vec<f32>> {
        let tokens = x.len() / self.inputs;
        assert_eq!(x.len(), tokens * self.inputs);
        if tokens == 0 {
            return Ok(Vec::new());
        }
        let input = Tensor::from_slice(x, (tokens, self.inputs), &Device::Cpu)?;
        let y = self.weight.forward(&input)?; // [tokens, outputs]
        debug_assert_eq!(y.dims(), [tokens, self.outputs]);
        let mut y = y.flatten_all()?.to_vec1()?;
        // Rounding makes 0 of NaN, after which broken weights would go unnoticed.
        for (x, y) in x.chunks_exact(self.inputs).zip(y.chunks_exact_mut(self.outputs)) {
            if !x.iter().all(|value| value.is_finite()) {
                y.fill(f32::NAN);
            }
        }
        Ok(y)
    }
}

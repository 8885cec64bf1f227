//! The matrix product of activations with a weight matrix from a file.

use candle_core::quantized::{GgmlDType, QuantizedType};
use candle_core::{CpuStorage, Device, Tensor};

use crate::{Error, Result};

/// A weight matrix `[outputs, inputs]`, kept as the file stores it: quantized
/// types stay quantized, floating-point types become f32.
///
/// For quantized types candle rounds each token's inputs to 8 bits per block:
/// blocks of 32 values, or of 256 for the K types. (Its `QMatMul` would take
/// 256 for Q8_0 too where it finds VNNI instructions, and scores would depend
/// on the processor; and it would keep a second copy of the weights.)
pub struct Linear {
    weight: Weight,
    outputs: usize,
    inputs: usize,
}

enum Weight {
    Quantized(Box<dyn QuantizedType>),
    /// Transposed: `[inputs, outputs]`.
    Float(Tensor),
}

impl Linear {
    /// Takes a matrix `[outputs, inputs]` from a file.
    ///
    /// # Errors
    /// If candle cannot dequantize a floating-point type.
    pub fn new(blocks: Box<dyn QuantizedType>, outputs: usize, inputs: usize) -> Result<Self> {
        let weight = match blocks.dtype() {
            GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => {
                let CpuStorage::F32(values) = blocks.dequantize(outputs * inputs)? else {
                    unreachable!("candle dequantizes to f32: bug");
                };
                let weight = Tensor::from_vec(values, (outputs, inputs), &Device::Cpu)?;
                Weight::Float(weight.t()?)
            }
            _ => Weight::Quantized(blocks),
        };
        Ok(Self { weight, outputs, inputs })
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
        let blocks = match &self.weight {
            Weight::Quantized(blocks) => blocks,
            Weight::Float(weight) => {
                let x = Tensor::from_slice(x, (tokens, self.inputs), &Device::Cpu)?;
                let y = x.matmul(weight)?; // [tokens, outputs]
                return y.flatten_all()?.to_vec1().map_err(Error::from);
            }
        };
        let mut y = vec![0.0; tokens * self.outputs];
        blocks.matmul_t((tokens, self.inputs, self.outputs), x, &mut y)?;
        // Rounding makes 0 of NaN, after which broken weights would go unnoticed.
        for (x, y) in x.chunks_exact(self.inputs).zip(y.chunks_exact_mut(self.outputs)) {
            if !x.iter().all(|value| value.is_finite()) {
                y.fill(f32::NAN);
            }
        }
        Ok(y)
    }
}

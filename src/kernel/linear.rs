//! The matrix product of activations with a weight matrix from a file.
//!
//! Weights stay as the file stores them. A panel of rows at a time is
//! dequantized by candle, laid out so that a vector register holds the same
//! input of several rows, and multiplied with all tokens in f32. So activations
//! are not rounded, and each sum runs in one order whatever the machine, the
//! number of threads or of tokens: scores do not depend on them.

use candle_core::CpuStorage;
use candle_core::quantized::QuantizedType;

use super::{TOKENS, for_each_chunk};

/// Rows of the matrix in a panel.
const ROWS: usize = 16;
/// Inputs that are summed up before they join the rest: the part of a panel
/// that they take stays in the first-level cache.
const INPUTS: usize = 256;

/// A weight matrix `[outputs, inputs]` of any type that candle dequantizes.
pub struct Linear {
    blocks: Box<dyn QuantizedType>,
    outputs: usize,
    inputs: usize,
}

impl Linear {
    /// Takes a matrix `[outputs, inputs]` from a file.
    ///
    /// # Panics
    /// If `blocks` hold another number of values.
    pub fn new(blocks: Box<dyn QuantizedType>, outputs: usize, inputs: usize) -> Self {
        let dtype = blocks.dtype();
        let bytes = outputs * inputs / dtype.block_size() * dtype.type_size();
        assert_eq!(blocks.storage_size_in_bytes(), bytes);
        Self { blocks, outputs, inputs }
    }

    /// x · Wᵀ: `[tokens, inputs]` to `[tokens, outputs]`.
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let tokens = x.len() / self.inputs;
        assert_eq!(x.len(), tokens * self.inputs);
        if tokens == 0 {
            return Vec::new();
        }
        let panels = self.outputs.div_ceil(ROWS);
        let mut sums = vec![0.0; panels * tokens * ROWS]; // [panels, tokens, ROWS]
        for_each_chunk(&mut sums, tokens * ROWS, |panel, sums| {
            multiply(&self.panel(panel), x, self.inputs, sums.as_chunks_mut().0);
        });
        let mut y = vec![0.0; tokens * self.outputs];
        for_each_chunk(&mut y, self.outputs, |token, y| {
            for (panel, y) in y.chunks_mut(ROWS).enumerate() {
                let start = (panel * tokens + token) * ROWS;
                y.copy_from_slice(&sums[start..start + y.len()]);
            }
        });
        y
    }

    /// Rows of one panel, turned round: `[inputs, ROWS]`, zero past the last row.
    fn panel(&self, panel: usize) -> Vec<[f32; ROWS]> {
        let first = panel * ROWS;
        let rows: Vec<u32> =
            (first..self.outputs.min(first + ROWS)).map(|row| row as u32).collect();
        let Ok(CpuStorage::F32(values)) = self.blocks.embedding(&rows, self.outputs, self.inputs)
        else {
            unreachable!("rows within the matrix dequantize to f32: bug");
        };
        let mut panel = vec![[0.0; ROWS]; self.inputs];
        for (row, values) in values.chunks_exact(self.inputs).enumerate() {
            for (input, value) in panel.iter_mut().zip(values) {
                input[row] = *value;
            }
        }
        panel
    }
}

/// sums `[tokens, ROWS]` += x `[tokens, inputs]` · panel `[inputs, ROWS]`.
fn multiply(panel: &[[f32; ROWS]], x: &[f32], inputs: usize, sums: &mut [[f32; ROWS]]) {
    for (block, panel) in panel.chunks(INPUTS).enumerate() {
        let part = |token: usize| &x[token * inputs + block * INPUTS..][..panel.len()];
        let mut tiles = sums.chunks_exact_mut(TOKENS);
        for (tile, sums) in tiles.by_ref().enumerate() {
            let x: [&[f32]; TOKENS] = std::array::from_fn(|i| part(tile * TOKENS + i));
            add_tile(panel, x, sums);
        }
        let rest = tiles.into_remainder();
        let first = x.len() / inputs - rest.len();
        for (i, sums) in rest.iter_mut().enumerate() {
            add_tile(panel, [part(first + i)], std::slice::from_mut(sums));
        }
    }
}

/// The inner loop: N tokens' sums stay in registers over all inputs of a block.
fn add_tile<const N: usize>(panel: &[[f32; ROWS]], x: [&[f32]; N], sums: &mut [[f32; ROWS]]) {
    let x = x.map(|x| &x[..panel.len()]);
    let mut tile = [[0.0; ROWS]; N];
    for (input, weights) in panel.iter().enumerate() {
        for token in 0..N {
            let value = x[token][input];
            for row in 0..ROWS {
                tile[token][row] += value * weights[row];
            }
        }
    }
    for (sums, tile) in sums.iter_mut().zip(tile) {
        for (sum, part) in sums.iter_mut().zip(tile) {
            *sum += part;
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};

    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 101) % 97) as f32 / 48.0 - 1.0).collect()
    }

    /// The product in f64 of what the file holds.
    fn naive(weight: &[f32], x: &[f32], inputs: usize) -> Vec<f64> {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        x.chunks_exact(inputs)
            .flat_map(|x| weight.chunks_exact(inputs).map(move |row| dot(row, x)))
            .collect()
    }

    #[test]
    fn every_type_and_size_equals_the_formula() {
        use GgmlDType::*;
        for dtype in [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K] {
            for (tokens, inputs, outputs) in [(1, 256, 16), (7, 512, 33), (13, 768, 5)] {
                let values = numbers(outputs * inputs, 1);
                let values = Tensor::from_vec(values, (outputs, inputs), &Device::Cpu).unwrap();
                let quantized = QTensor::quantize(&values, dtype).unwrap();
                let data = quantized.data().unwrap().into_owned();
                let linear = Linear::new(dtype.from_data(data.into()), outputs, inputs);
                let held = quantized.dequantize(&Device::Cpu).unwrap();
                let held: Vec<f32> = held.flatten_all().unwrap().to_vec1().unwrap();
                let x = numbers(tokens * inputs, 2);
                let y = linear.forward(&x);
                let expected = naive(&held, &x, inputs);
                assert_eq!(y.len(), expected.len());
                for (value, expected) in y.iter().zip(expected) {
                    assert!((f64::from(*value) - expected).abs() < 1e-3, "{dtype:?}");
                }
            }
        }
    }

    #[test]
    fn tokens_do_not_depend_on_their_company() {
        let weight: Vec<u8> = numbers(40 * 300, 3).iter().flat_map(|v| v.to_le_bytes()).collect();
        let linear = Linear::new(GgmlDType::F32.from_data(weight.into()), 40, 300);
        let x = numbers(20 * 300, 4);
        let together = linear.forward(&x);
        for (x, together) in x.chunks_exact(300).zip(together.chunks_exact(40)) {
            assert_eq!(linear.forward(x), together);
        }
    }

    #[test]
    fn values_that_are_not_finite_stay_so() {
        let weight: Vec<u8> = numbers(64, 3).iter().flat_map(|v| v.to_le_bytes()).collect();
        let linear = Linear::new(GgmlDType::F32.from_data(weight.into()), 2, 32);
        let mut x = numbers(32, 4);
        x[5] = f32::NAN;
        assert!(linear.forward(&x).iter().all(|value| value.is_nan()));
    }
}

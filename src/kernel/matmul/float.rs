//! Matrices of F32, F16 and BF16: their panels are widened to f32 and multiplied in f32.
//!
//! Activations are not rounded. Plain loops, which become vector code.

use super::layout::ROWS;
use crate::gguf::{TensorType, f16_to_f32};
use crate::kernel::isa::SimdTask;
use crate::kernel::lanes::Lanes;
use crate::kernel::threads::for_each_chunk;

/// Inputs whose products are summed before the sum is added to the result: their part of a panel
/// stays in the first-level cache.
const INPUTS: usize = 256;
/// Tokens whose sums stay in registers; of those WebAssembly has 16, of 4 values each.
const TOKENS: usize = if cfg!(target_arch = "wasm32") { 2 } else { 6 };

/// A float matrix `[outputs, inputs]`, as `[panels, inputs, ROWS]`.
#[derive(Debug)]
pub struct FloatMatrix {
    values: Values,
    pub outputs: usize,
    pub inputs: usize,
}

#[derive(Debug)]
enum Values {
    F32(Vec<[f32; ROWS]>),
    F16(Vec<[u16; ROWS]>),
    BF16(Vec<[u16; ROWS]>),
}

impl FloatMatrix {
    /// Repacks a matrix of one of the three types.
    pub fn pack(dtype: TensorType, raw: &[u8], outputs: usize, inputs: usize) -> Self {
        assert_eq!(raw.len(), outputs * inputs * dtype.block_bytes());
        let short = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
        let values = match dtype {
            TensorType::F32 => Values::F32(panels(raw, outputs, inputs, |bytes: &[u8]| {
                f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
            })),
            TensorType::F16 => Values::F16(panels(raw, outputs, inputs, short)),
            TensorType::BF16 => Values::BF16(panels(raw, outputs, inputs, short)),
            other => unreachable!("{other:?} is no float type: bug"),
        };
        Self { values, outputs, inputs }
    }

    /// Bytes that it takes in memory.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        match &self.values {
            Values::F32(values) => size_of_val(&values[..]),
            Values::F16(values) | Values::BF16(values) => size_of_val(&values[..]),
        }
    }

    /// sums `[tokens, ROWS]` = x `[tokens, inputs]` · panel `[inputs, ROWS]`.
    #[inline(always)]
    fn multiply(&self, panel: usize, x: &[f32], sums: &mut [[f32; ROWS]]) {
        assert_eq!(x.len(), sums.len() * self.inputs);
        sums.fill([0.0; ROWS]);
        let mut weights = [[0.0; ROWS]; INPUTS];
        for start in (0..self.inputs).step_by(INPUTS) {
            let count = INPUTS.min(self.inputs - start);
            let weights = &mut weights[..count];
            let at = panel * self.inputs + start;
            match &self.values {
                Values::F32(values) => widen(&values[at..], weights, |value| value),
                Values::F16(values) => widen(&values[at..], weights, f16_to_f32),
                Values::BF16(values) => {
                    widen(&values[at..], weights, |bits| f32::from_bits(u32::from(bits) << 16));
                }
            }
            add_range(weights, &x[start..], self.inputs, sums);
        }
    }
}

fn panels<T: Copy + Default + Send>(
    raw: &[u8],
    outputs: usize,
    inputs: usize,
    read: impl Fn(&[u8]) -> T + Sync,
) -> Vec<[T; ROWS]> {
    let bytes = size_of::<T>();
    let mut panels = vec![[T::default(); ROWS]; outputs.div_ceil(ROWS) * inputs];
    for_each_chunk(&mut panels, inputs, |panel, values| {
        let raw = &raw[panel * ROWS * inputs * bytes..];
        for (row, raw) in raw.chunks_exact(inputs * bytes).take(ROWS).enumerate() {
            for (value, raw) in values.iter_mut().zip(raw.chunks_exact(bytes)) {
                value[row] = read(raw);
            }
        }
    });
    panels
}

#[inline(always)]
fn widen<T: Copy>(
    values: &[[T; ROWS]],
    weights: &mut [[f32; ROWS]],
    convert: impl Fn(T) -> f32 + Copy,
) {
    // As flat slices, so that one vector instruction converts several values.
    let weights = weights.as_flattened_mut().iter_mut();
    for (weight, value) in weights.zip(values.as_flattened()) {
        *weight = convert(*value);
    }
}

/// Adds the products of a range of inputs; those of token t start at `t * stride`.
#[inline(always)]
fn add_range(weights: &[[f32; ROWS]], x: &[f32], stride: usize, sums: &mut [[f32; ROWS]]) {
    let part = |token: usize| &x[token * stride..][..weights.len()];
    let tokens = sums.len();
    let mut tiles = sums.chunks_exact_mut(TOKENS);
    for (tile, sums) in tiles.by_ref().enumerate() {
        let x: [&[f32]; TOKENS] = std::array::from_fn(|i| part(tile * TOKENS + i));
        add_tile(weights, x, sums);
    }
    let rest = tiles.into_remainder();
    let first = tokens - rest.len();
    for (i, sums) in rest.iter_mut().enumerate() {
        add_tile(weights, [part(first + i)], std::slice::from_mut(sums));
    }
}

/// The inner loop: N tokens' sums stay in registers over all inputs of a range.
#[inline(always)]
fn add_tile<const N: usize>(weights: &[[f32; ROWS]], x: [&[f32]; N], sums: &mut [[f32; ROWS]]) {
    let x = x.map(|x| &x[..weights.len()]);
    let mut tile = [[0.0; ROWS]; N];
    for (input, weights) in weights.iter().enumerate() {
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

/// Multiplies one panel with all tokens.
pub struct FloatPanelTask<'a> {
    pub matrix: &'a FloatMatrix,
    pub panel: usize,
    pub x: &'a [f32],
    pub sums: &'a mut [[f32; ROWS]],
}

impl SimdTask for FloatPanelTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        self.matrix.multiply(self.panel, self.x, self.sums);
    }
}

//! Activations rounded to 8 bits, each 32 inputs of a token with a scale of their own.

use super::layout::{BLOCK, QuantLayout};
use crate::kernel::isa::{Isa, SimdTask};
use crate::kernel::lanes::Lanes;
use crate::kernel::threads::{for_each_chunk, for_each_pair_of_chunks};

/// The quants of one block of one token.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub struct QuantBlock(pub [i8; BLOCK]);

/// Quantized activations `[tokens, inputs]`.
///
/// They lie block by block, `[blocks, tokens]`, so that the tokens of a tile lie
/// together whatever their number.
#[derive(Debug)]
pub struct QuantizedActivations {
    /// Tokens.
    pub tokens: usize,
    /// Blocks of 32 inputs of a token.
    pub blocks: usize,
    /// `[blocks, tokens]`
    pub quants: Vec<QuantBlock>,
    /// The same in 16 bits, for kernels that multiply those; else nothing.
    pub quants16: Vec<[i16; BLOCK]>,
    /// `[blocks, tokens]`
    pub scales: Vec<f32>,
}

/// The terms of the products that depend on the activations alone: their sums, which are multiplied
/// with the weights' offset or minimums. Matrices of one layout share them.
#[derive(Debug)]
pub struct OffsetTerms {
    /// Where integer sums start, −offset · Σ quants: `[blocks, tokens, scales_per_block]`; nothing if
    /// there are minimums.
    pub starts: Vec<i32>,
    /// What multiplies the minimums, scale · Σ quants: `[blocks, tokens, scales_per_block]`; nothing
    /// if there are none.
    pub sums: Vec<f32>,
}

/// The largest f32 below ½: added before `trunc`, it rounds halves away from zero.
const ALMOST_HALF: f32 = 0.5 - f32::EPSILON / 4.0;
/// 1.5 · 2²³: added to a small integer, it puts that into the low bits of the sum.
const INTEGERS: f32 = 12_582_912.0;
/// Blocks whose largest value is below this become zeros: 127 over it could be infinite.
const TINY: f32 = 1e-36;

/// Blocks of all tokens that one task rounds.
const BLOCKS: usize = 4;

impl QuantizedActivations {
    /// Rounds `x` `[tokens, inputs]` to q = x · 127 / max|x|, halves away from zero.
    ///
    /// A block with a value that is not finite gets a scale that is not finite, and so do the products.
    pub fn quantize(isa: Isa, x: &[f32], inputs: usize) -> Self {
        let tokens = x.len() / inputs;
        assert_eq!(x.len(), tokens * inputs);
        Self::fill(tokens, inputs, BLOCKS, |first, quants, scales| {
            isa.run(QuantizeTask { x, inputs, first, tokens, quants, scales });
        })
    }

    /// Rounded activations `[tokens, inputs]`, made by `make(first, quants, scales)` for `group` blocks
    /// at a time: `[group, tokens]` quants and scales, from block `first` on.
    pub fn fill(
        tokens: usize,
        inputs: usize,
        group: usize,
        make: impl Fn(usize, &mut [QuantBlock], &mut [f32]) + Sync,
    ) -> Self {
        let blocks = inputs / BLOCK;
        assert_eq!(inputs % BLOCK, 0);
        let mut quants = vec![QuantBlock([0; BLOCK]); tokens * blocks];
        let mut scales = vec![0.0; tokens * blocks];
        let slices = (&mut quants[..], &mut scales[..]);
        let size = group * tokens;
        for_each_pair_of_chunks(slices, (size, size), |index, quants, scales| {
            make(index * group, quants, scales);
        });
        Self { tokens, blocks, quants, quants16: Vec::new(), scales }
    }

    /// Fills `quants16`, unless it is filled.
    pub fn widen(&mut self) {
        if self.quants16.len() == self.quants.len() {
            return;
        }
        let size = self.tokens * BLOCKS;
        self.quants16 = vec![[0; BLOCK]; self.quants.len()];
        for_each_chunk(&mut self.quants16, size, |index, wide| {
            for (wide, quants) in wide.iter_mut().zip(&self.quants[index * size..]) {
                *wide = quants.0.map(i16::from);
            }
        });
    }

    /// The terms for weights of `layout`; `signed` ones have no offset.
    pub fn terms(&self, isa: Isa, layout: QuantLayout, signed: bool) -> OffsetTerms {
        let parts = layout.scales_per_block();
        let size = self.tokens * BLOCKS;
        let offset = if signed { 0 } else { i32::from(layout.offset) };
        let mut terms = OffsetTerms { starts: Vec::new(), sums: Vec::new() };
        if layout.has_minimums {
            terms.sums = vec![0.0; self.quants.len() * parts];
            for_each_chunk(&mut terms.sums, size * parts, |index, sums| {
                let (quants, scales) = (&self.quants[index * size..], &self.scales[index * size..]);
                isa.run(ScaledSumsTask { quants, scales, parts, sums });
            });
        } else {
            terms.starts = vec![0; self.quants.len() * parts];
            if offset != 0 {
                for_each_chunk(&mut terms.starts, size * parts, |index, starts| {
                    let quants = &self.quants[index * size..];
                    isa.run(StartsTask { quants, offset, parts, starts });
                });
            }
        }
        terms
    }
}

/// Computes [`OffsetTerms::sums`] of some blocks.
struct ScaledSumsTask<'a> {
    quants: &'a [QuantBlock],
    scales: &'a [f32],
    parts: usize,
    sums: &'a mut [f32],
}

impl SimdTask for ScaledSumsTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let blocks = self.quants.iter().zip(self.scales);
        for (sums, (quants, scale)) in self.sums.chunks_exact_mut(self.parts).zip(blocks) {
            set_parts(quants, sums, |sum| sum as f32 * scale);
        }
    }
}

/// Computes [`OffsetTerms::starts`] of some blocks.
struct StartsTask<'a> {
    quants: &'a [QuantBlock],
    offset: i32,
    parts: usize,
    starts: &'a mut [i32],
}

impl SimdTask for StartsTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (starts, quants) in self.starts.chunks_exact_mut(self.parts).zip(self.quants) {
            set_parts(quants, starts, |sum| -self.offset * sum);
        }
    }
}

/// Sets one value for a block by the sum of its quants, or two by those of its halves.
#[inline(always)]
fn set_parts<T>(quants: &QuantBlock, parts: &mut [T], make: impl Fn(i32) -> T) {
    let [low, high] = half_sums(quants).map(i32::from);
    match parts {
        [whole] => *whole = make(low + high),
        [first, second] => (*first, *second) = (make(low), make(high)),
        _ => unreachable!("blocks have one part or two: bug"),
    }
}

/// Rounds some blocks of all tokens, from block `first` on.
struct QuantizeTask<'a> {
    x: &'a [f32],
    inputs: usize,
    first: usize,
    tokens: usize,
    quants: &'a mut [QuantBlock],
    scales: &'a mut [f32],
}

impl SimdTask for QuantizeTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let count = self.quants.len() / self.tokens;
        for (token, x) in self.x.chunks_exact(self.inputs).enumerate() {
            let x = &x[self.first * BLOCK..][..count * BLOCK];
            for (block, x) in x.as_chunks().0.iter().enumerate() {
                let at = block * self.tokens + token;
                self.scales[at] = quantize_block(x, &mut self.quants[at]);
            }
        }
    }
}

/// Rounds one block and returns its scale.
#[inline(always)]
pub fn quantize_block(x: &[f32; BLOCK], quants: &mut QuantBlock) -> f32 {
    // The bits of positive floats are ordered like the floats, with NaN above infinity.
    let bits = x.iter().fold(0, |max, value| max.max(value.to_bits() & 0x7fff_ffff));
    let max = f32::from_bits(bits);
    let factor = if max >= TINY && max.is_finite() { 127.0 / max } else { 0.0 };
    for (quant, value) in quants.0.iter_mut().zip(x) {
        let value = value * factor;
        let rounded = (value + ALMOST_HALF.copysign(value)).trunc();
        // A cast from f32 saturates, which takes more instructions; here the low byte of the sum's
        // bits is the integer.
        *quant = (rounded + INTEGERS).to_bits() as i8;
    }
    max / 127.0
}

#[inline(always)]
fn half_sums(quants: &QuantBlock) -> [i16; 2] {
    let sum = |half: &[i8]| half.iter().map(|quant| i16::from(*quant)).sum();
    [sum(&quants.0[..BLOCK / 2]), sum(&quants.0[BLOCK / 2..])]
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn quantize(x: &[f32]) -> QuantizedActivations {
        QuantizedActivations::quantize(Isa::SCALAR, x, BLOCK)
    }

    #[test]
    fn rounds_halves_away_from_zero() {
        let mut x = [0.0; BLOCK];
        x[..7].copy_from_slice(&[127.0, 0.5, -0.5, 1.5, -2.5, 0.49999997, -126.5]);
        let activations = quantize(&x);
        assert_eq!(activations.quants[0].0[..7], [127, 1, -1, 2, -3, 0, -127]);
        assert_eq!(activations.scales, [1.0]);
        assert_eq!(half_sums(&activations.quants[0]), [-1, 0]);
    }

    #[test]
    fn tiny_and_infinite_values_do_not_break_their_block() {
        let scale = |value: f32| quantize(&[value; BLOCK]).scales[0];
        assert!(scale(1e-40) < 1e-40 && scale(0.0) == 0.0);
        assert!(scale(f32::NAN).is_nan() && scale(f32::INFINITY) == f32::INFINITY);
        assert_eq!(quantize(&[1e-40; BLOCK]).quants[0].0, [0; BLOCK]);
    }
}

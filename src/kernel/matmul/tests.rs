//! Every type on every instruction set that works here.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::feed_forward::feed_forward_on;
use super::linear::Linear;
use super::multiply::{multiply, multiply_on};
use crate::Result;
use crate::gguf::TensorType;
use crate::kernel::isa::Isa;
use crate::kernel::select;
use crate::kernel::silu::silu_mul;

/// Every type that files hold weights in.
const TYPES: [TensorType; 15] = {
    use TensorType::*;
    [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K, IQ4NL, IQ4XS]
};

impl Linear {
    fn forward_on(&self, isa: Isa, x: &[f32]) -> Vec<f32> {
        let [y] = multiply_on(isa, [self], x);
        y
    }
}

/// The values of blocks by the decoder of the type: candle's, and for IQ4 one that is checked with the
/// Python package gguf. Neither is the decoder that packs them.
fn dequantize(kind: TensorType, raw: &[u8]) -> Result<Vec<f64>> {
    Ok(kind.dequantize(raw)?.into_iter().map(f64::from).collect())
}

/// A small random number generator (xorshift64*).
struct Random(u64);

impl Random {
    /// A generator; the same seed gives the same numbers.
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// 64 random bits.
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from −1 to 1.
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Numbers from −1 to 1, some of them ten times as large, as activations have.
    fn activations(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| self.unit() * if self.bits().is_multiple_of(61) { 10.0 } else { 1.0 })
            .collect()
    }

    /// The raw bytes of `values` values.
    fn blocks(&mut self, kind: TensorType, values: usize) -> Vec<u8> {
        use TensorType::*;
        let mut raw = Vec::with_capacity(values / kind.block_size() * kind.block_bytes());
        for _ in 0..values / kind.block_size() {
            let start = raw.len();
            raw.extend((0..kind.block_bytes()).map(|_| (self.bits() >> 56) as u8));
            let block = &mut raw[start..];
            // Where the block has f16.
            let halves: &[usize] = match kind {
                F32 => {
                    block.copy_from_slice(&self.unit().to_le_bytes());
                    &[]
                }
                BF16 => {
                    block.copy_from_slice(&self.unit().to_le_bytes()[2..]);
                    &[]
                }
                F16 | Q4_0 | Q5_0 | Q8_0 | IQ4NL | IQ4XS => &[0],
                Q4_1 | Q5_1 | Q4K | Q5K => &[0, 2],
                Q2K => &[80, 82],
                Q3K => &[108],
                Q6K => &[208],
            };
            for &at in halves {
                // Sign and size at random, from 2⁻¹⁰ (0x1400) to 2⁻⁶.
                let half = (0x1400 + (self.bits() >> 52) as u16) | (self.bits() >> 63 << 15) as u16;
                block[at..at + 2].copy_from_slice(&half.to_le_bytes());
            }
        }
        raw
    }
}

/// Activations as they are after rounding to 8 bits by 32, or unchanged for float types.
fn rounded(kind: TensorType, x: &[f32]) -> Vec<f64> {
    if kind.block_size() == 1 {
        return x.iter().map(|&value| value.into()).collect();
    }
    let round = |x: &[f32]| {
        let max = x.iter().fold(0.0, |max: f32, value| max.max(value.abs()));
        let factor = if max > 0.0 { 127.0 / max } else { 0.0 };
        let scale = f64::from(max / 127.0);
        x.iter().map(|value| f64::from((value * factor).round()) * scale).collect::<Vec<_>>()
    };
    x.chunks(32).flat_map(round).collect()
}

/// Products in f64, each with the sum of its terms' magnitudes.
fn expected(weights: &[f64], x: &[f64], inputs: usize) -> Vec<(f64, f64)> {
    let dot = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).fold((0.0, 0.0), |(sum, size), (a, b)| (sum + a * b, size + (a * b).abs()))
    };
    x.chunks_exact(inputs)
        .flat_map(|x| weights.chunks_exact(inputs).map(move |row| dot(row, x)))
        .collect()
}

fn sizes(kind: TensorType) -> Vec<(usize, usize, usize)> {
    if cfg!(miri) {
        return vec![(2, 256, 17)];
    }
    // (tokens, inputs, outputs)
    let mut sizes = vec![(1, 256, 16), (2, 512, 5), (7, 1024, 33), (29, 3072, 17), (13, 1280, 48)];
    sizes.extend((3..=12).map(|tokens| (tokens, 256, 20)));
    if kind.block_size() < 256 {
        sizes.extend([(1, 32, 1), (5, 96, 16), (25, 1056, 40), (12, 2016, 31)]);
    }
    sizes
}

#[cfg(target_arch = "aarch64")]
#[test]
fn the_processor_has_neon_dot_products() {
    // Otherwise the tests below would test the reference alone.
    assert!(select::available().iter().any(|isa| isa.name() == "NEON dot products"));
}

#[test]
fn all_equal_the_formula_and_the_reference_to_the_bit() {
    for kind in TYPES {
        for (tokens, inputs, outputs) in sizes(kind) {
            let mut random = Random::new((tokens * inputs * outputs) as u64);
            let raw = random.blocks(kind, outputs * inputs);
            let x = random.activations(tokens * inputs);
            let linear = Linear::new(kind, &raw, outputs, inputs);
            let weights = dequantize(kind, &raw).unwrap();
            let expected = expected(&weights, &rounded(kind, &x), inputs);
            let reference = linear.forward_on(Isa::SCALAR, &x);
            assert_eq!(reference.len(), expected.len());
            let largest = expected.iter().fold(0.0, |max: f64, (value, _)| max.max(value.abs()));
            for (value, (expected, terms)) in reference.iter().zip(&expected) {
                let error = (f64::from(*value) - expected).abs();
                // Relative to the largest result, or to the terms where they nearly cancel out.
                let bound = 1e-5 * largest.max(terms / 16.0);
                assert!(error <= bound, "{kind:?} {tokens}×{inputs}: {value} is not {expected}");
            }
            for isa in select::available() {
                let y = linear.forward_on(isa, &x);
                let same = y.iter().zip(&reference).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{kind:?} {tokens}×{inputs}×{outputs} differs on {isa:?}");
            }
        }
    }
}

/// One block with scales of one, so that results are the integer sums themselves,
/// at the ends of both ranges, where sums of 16 bits would overflow.
#[test]
fn integer_sums_are_exact_at_the_extremes() {
    for (low, high) in [(-128i32, 127), (-128, -128), (127, 127)] {
        let mut raw = Vec::new();
        for row in 0..16 {
            raw.extend([0x00, 0x3c]);
            raw.extend((0..32).map(|i| if (i + row) % 2 == 0 { low as u8 } else { high as u8 }));
        }
        let linear = Linear::new(TensorType::Q8_0, &raw, 16, 32);
        for sign in [1.0, -1.0f32] {
            let x = [127.0 * sign; 32];
            let expected = 16 * 127 * (low + high) * sign as i32;
            for isa in select::available() {
                let y = linear.forward_on(isa, &x);
                assert_eq!(y, [expected as f32; 16], "{isa:?}");
            }
        }
    }
    for (kind, most, offset) in
        [(TensorType::Q4_0, 15, 8), (TensorType::Q5_0, 31, 16), (TensorType::Q4_1, 15, 0)]
    {
        for bits in [0u8, 0xff] {
            let head: &[u8] = match kind {
                TensorType::Q4_1 => &[0x00, 0x3c, 0, 0],
                _ => &[0x00, 0x3c],
            };
            let block = [head, &vec![bits; kind.block_bytes() - head.len()]].concat();
            let weight = if bits == 0 { -offset } else { most - offset };
            assert_weights(kind, &block, weight);
        }
    }
    // The ends of IQ4's table, with sub-block scales of one (33 − 32).
    for (bits, weight) in [(0u8, -127), (0xff, 113), (0x88, 1)] {
        let block = [&[0x00, 0x3c][..], &[bits; 16]].concat();
        assert_weights(TensorType::IQ4NL, &block, weight);
        let block = [&[0x00, 0x3c][..], &[0xaa, 0xaa], &[0x11; 4], &[bits; 128]].concat();
        assert_weights(TensorType::IQ4XS, &block, weight);
    }
    // The largest sums in 16 bits: weights of 6 bits, with sub-block scales of one.
    for (bits, weight) in [(0u8, -32), (0xff, 31)] {
        let block = [&[bits; 192][..], &[1; 16], &[0x00, 0x3c]].concat();
        assert_weights(TensorType::Q6K, &block, weight);
    }
}

/// Products of rows of one block, all of whose weights are `weight`, with the largest activations.
fn assert_weights(kind: TensorType, block: &[u8], weight: i32) {
    let inputs = kind.block_size();
    let linear = Linear::new(kind, &block.repeat(16), 16, inputs);
    for sign in [1, -1] {
        let x = vec![127.0 * sign as f32; inputs];
        let expected = (inputs as i32 * 127 * sign * weight) as f32;
        for isa in select::available() {
            let y = linear.forward_on(isa, &x);
            assert_eq!(y, [expected; 16], "{kind:?} {isa:?}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn packed_size_stays_close_to_the_file() {
    for kind in TYPES {
        let raw = vec![0; 64 * 1024 / kind.block_size() * kind.block_bytes()];
        let linear = Linear::new(kind, &raw, 64, 1024);
        let ratio = linear.size() as f64 / raw.len() as f64;
        assert!((1.0..=1.04).contains(&ratio), "{kind:?} grows to {ratio}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn tokens_do_not_depend_on_their_company() {
    let mut random = Random::new(7);
    for kind in
        [TensorType::Q4K, TensorType::Q6K, TensorType::Q8_0, TensorType::IQ4XS, TensorType::F16]
    {
        let raw = random.blocks(kind, 24 * 512);
        let linear = Linear::new(kind, &raw, 24, 512);
        let x = random.activations(31 * 512);
        for isa in select::available() {
            let together = linear.forward_on(isa, &x);
            for (x, together) in x.chunks_exact(512).zip(together.chunks_exact(24)) {
                assert_eq!(linear.forward_on(isa, x), together);
            }
        }
    }
}

#[test]
fn several_matrices_give_what_each_gives() {
    let mut random = Random::new(6);
    let of = |kind, outputs, random: &mut Random| {
        Linear::new(kind, &random.blocks(kind, outputs * 256), outputs, 256)
    };
    let a = of(TensorType::Q4K, 40, &mut random);
    let b = of(TensorType::Q6K, 17, &mut random);
    let c = of(TensorType::F16, 16, &mut random);
    let x = random.activations(9 * 256);
    for isa in select::available() {
        let together = multiply_on(isa, [&a, &b, &c], &x);
        let alone = [&a, &b, &c].map(|linear| linear.forward_on(isa, &x));
        assert_eq!(together, alone, "{isa:?}");
    }
    let mut sum = vec![1.0; 9 * 40];
    a.add_to(&x, &mut sum);
    let [product] = multiply([&a], &x);
    assert!(sum.iter().zip(product).all(|(sum, product)| *sum == 1.0 + product));
}

#[test]
#[cfg_attr(miri, ignore = "takes too long")]
fn feed_forward_gives_what_its_parts_give() {
    let mut random = Random::new(5);
    for (of_inner, of_down) in
        [(TensorType::Q4K, TensorType::Q6K), (TensorType::Q8_0, TensorType::F16)]
    {
        let mut of = |kind, outputs, inputs| {
            Linear::new(kind, &random.blocks(kind, outputs * inputs), outputs, inputs)
        };
        let (gate, up) = (of(of_inner, 512, 256), of(of_inner, 512, 256));
        let down = of(of_down, 40, 512);
        let x = random.activations(9 * 256);
        let [mut inner, factor] = multiply([&gate, &up], &x);
        silu_mul(&mut inner, &factor);
        let mut expected = vec![1.0; 9 * 40];
        down.add_to(&inner, &mut expected);
        for isa in select::available() {
            let mut found = vec![1.0; 9 * 40];
            feed_forward_on(isa, &gate, &up, &down, &x, &mut found);
            assert_eq!(found, expected, "{of_inner:?} {of_down:?} {isa:?}");
        }
    }
}

#[test]
fn values_that_are_not_finite_stay_so() {
    for kind in TYPES {
        let mut random = Random::new(8);
        let raw = random.blocks(kind, 4 * 256);
        let linear = Linear::new(kind, &raw, 4, 256);
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = random.activations(256);
            x[5] = bad;
            for isa in select::available() {
                let y = linear.forward_on(isa, &x);
                assert!(y.iter().all(|value| !value.is_finite()), "{kind:?} {isa:?}");
            }
        }
    }
}

#[test]
fn no_tokens_give_nothing() {
    let raw = Random::new(9).blocks(TensorType::Q4_0, 16 * 32);
    let linear = Linear::new(TensorType::Q4_0, &raw, 16, 32);
    for isa in select::available() {
        assert!(linear.forward_on(isa, &[]).is_empty());
    }
}

//! WebAssembly with relaxed SIMD: dot products of signed bytes and unsigned 7-bit weights.
//!
//! Two forms are exact for such weights, on every processor:
//! * [`Sums32`]: four products added to 32 bits, one instruction with AVX-VNNI and
//!   with NEON's dotprod, several without.
//! * [`Sums16`]: two products added to 16 bits, one instruction on all x86-64 since
//!   SSSE3; as many are added in 16 bits as the weights' width allows.
//!
//! The standard leaves to the engine how weights of 8 bits are taken: AVX-VNNI's instruction takes
//! them as unsigned, NEON's as signed, and the instructions that replace them on other processors
//! saturate. Where products are exact, [`Bytes`] multiplies 8 bits at once; elsewhere weights of 8 bits
//! are left to the kernel of simd128.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::wasm32::*;
use std::hint::black_box;

use super::simd128::{self, float_operations, layout_tile};
use crate::kernel::isa::ByteDot;
use crate::kernel::lanes::array_from_fn;
use crate::kernel::matmul::layout::{
    BlockRange, Line, PackedMatrix, STEP, TableLookup, WidePanel, WidenScratch,
};
use crate::kernel::matmul::tile::{BlockQuants, Kernel, Sums, TileInput};

/// The kernel with sums of 32 bits.
pub struct Sums32;
/// The same for weights of 8 bits, where the engine takes them as signed, or as unsigned.
pub struct Bytes<const SIGNED: bool>;
/// The kernel with sums of 16 bits.
pub struct Sums16;

/// Finds out how the engine takes weights of 8 bits; nothing if some products are exact neither as
/// signed nor as unsigned. The standard demands that it never changes within an engine.
pub fn byte_dot() -> Option<ByteDot> {
    if takes_bytes_as(|weight| i32::from(weight as i8)) {
        Some(ByteDot::Signed)
    } else if takes_bytes_as(i32::from) {
        Some(ByteDot::Unsigned)
    } else {
        None
    }
}

/// Whether products with bytes are those with the weights that `value` tells, exactly.
fn takes_bytes_as(value: fn(u8) -> i32) -> bool {
    // Sums of two products beyond 16 bits, of either sign, where saturation would show.
    [127, -127].into_iter().all(|x: i8| {
        [127, 128, 129, 200, 255].into_iter().all(|weight: u8| {
            let (x, weight) = (black_box(x), black_box(weight));
            let sums = i32x4_relaxed_dot_i8x16_i7x16_add(
                i8x16_splat(x),
                u8x16_splat(weight),
                i32x4_splat(7),
            );
            let sum = 7 + STEP as i32 * i32::from(x) * value(weight);
            i32x4_all_true(i32x4_eq(sums, i32x4_splat(sum)))
        })
    })
}

/// The weights of one step.
///
/// # Safety
/// `weights` is good for the line, `row + 4 R` rows at most.
#[inline(always)]
unsafe fn vectors<const R: usize>(weights: *const Line, row: usize) -> [v128; R] {
    // SAFETY: the caller's promise.
    array_from_fn(|r| unsafe { v128_load(weights.cast::<i32>().add(row).add(r * 4).cast()) })
}

/// Sums over some steps, added in 32 bits.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn sums_in_32_bits<const R: usize, const N: usize>(
    weights: *const Line,
    row: usize,
    x: *const u32,
    steps: usize,
) -> [[v128; N]; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[i32x4_splat(0); N]; R];
        for s in 0..steps {
            let vectors: [v128; R] = vectors(weights.add(s), row);
            for n in 0..N {
                let x = v128_load32_splat(x.add(s).add(n * 8));
                for r in 0..R {
                    sums[r][n] = i32x4_relaxed_dot_i8x16_i7x16_add(x, vectors[r], sums[r][n]);
                }
            }
        }
        sums
    }
}

/// Sums over the steps of a range, added in 16 bits and then widened.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn sums_in_16_bits<const R: usize, const N: usize>(
    weights: *const Line,
    row: usize,
    x: *const u32,
    steps: std::ops::Range<usize>,
) -> [[v128; N]; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[i16x8_splat(0); N]; R];
        for s in steps {
            let vectors: [v128; R] = vectors(weights.add(s), row);
            for n in 0..N {
                let x = v128_load32_splat(x.add(s).add(n * 8));
                for r in 0..R {
                    let products = i16x8_relaxed_dot_i8x16_i7x16(x, vectors[r]);
                    sums[r][n] = i16x8_add(sums[r][n], products);
                }
            }
        }
        array_from_fn(|r| array_from_fn(|n| i32x4_dot_i16x8(sums[r][n], i16x8_splat(1))))
    }
}

/// Sums over two steps, whose products are all that fits into 16 bits, added to sums of 32 bits.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn add_pair<const R: usize, const N: usize>(
    sums: &mut [[v128; N]; R],
    weights: *const Line,
    row: usize,
    x: *const u32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let weights: [[v128; R]; 2] = array_from_fn(|s| vectors(weights.add(s), row));
        for n in 0..N {
            let x: [v128; 2] = array_from_fn(|s| v128_load32_splat(x.add(s).add(n * 8)));
            for r in 0..R {
                let pair = i16x8_add(
                    i16x8_relaxed_dot_i8x16_i7x16(x[0], weights[0][r]),
                    i16x8_relaxed_dot_i8x16_i7x16(x[1], weights[1][r]),
                );
                let wide = i32x4_dot_i16x8(pair, i16x8_splat(1));
                sums[r][n] = i32x4_add(sums[r][n], wide);
            }
        }
    }
}

/// The sums of two tiles, lane by lane.
#[inline(always)]
fn add_all<const R: usize, const N: usize>(a: [[v128; N]; R], b: [[v128; N]; R]) -> [[v128; N]; R] {
    array_from_fn(|r| array_from_fn(|n| i32x4_add(a[r][n], b[r][n])))
}

/// Adds the terms that sums start from, if any. At the end: loaded first, they would hold registers.
///
/// # Safety
/// `starts` is null or good for N numbers, `stride` apart.
#[inline(always)]
unsafe fn with_starts<const R: usize, const N: usize>(
    sums: [[v128; N]; R],
    starts: *const i32,
    stride: usize,
) -> [[v128; N]; R] {
    if starts.is_null() {
        return sums;
    }
    // SAFETY: the caller's promise.
    let starts: [v128; N] =
        array_from_fn(|n| unsafe { v128_load32_splat(starts.add(n * stride).cast()) });
    add_all(sums, [starts; R])
}

macro_rules! kernel {
    (
        [$($generic:tt)*] $name:ty, signed: $signed:expr, $tile:ident,
        $r:literal, $tokens:expr, [$($n:literal)*], $dots:item
    ) => {
        impl<$($generic)*> TableLookup for $name {
            #[inline(always)]
            unsafe fn look_up(table: &[u8; 16], line: &mut Line) {
                simd128::look_up(table, line);
            }
        }

        // SAFETY of all methods: pointers are good for the vectors that the trait's
        // documentation says.
        impl<$($generic)*> Kernel for $name {
            type Int = v128;
            type Float = v128;
            const LANES: usize = 4;
            const TOKENS: [usize; 2] = $tokens;
            const SIGNED: bool = $signed;
            const IN_MEMORY: bool = true;

            #[inline(always)]
            $dots

            float_operations!();

            unsafe fn widen<'a>(
                scratch: &'a mut WidenScratch,
                matrix: &'a PackedMatrix,
                range: BlockRange,
            ) -> WidePanel<'a> {
                unsafe { scratch.widen::<Self>(matrix, range, Self::SIGNED) }
            }

            unsafe fn tile(matrix: &PackedMatrix, input: &TileInput<'_>, sums: &mut Sums) {
                match sums.len() {
                    $($n => $tile::<Self, $r, $n>(matrix, input, sums),)*
                    other => unreachable!("a tile of {other} tokens: bug"),
                }
            }
        }
    };
}

kernel!(
    [] Sums32, signed: false, tile, 2, [4, 4], [1 2 3 4],
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: BlockQuants,
        (step, steps): (usize, usize),
        starts: *const i32,
        stride: usize,
    ) -> [[v128; N]; R] {
        // SAFETY: the caller's promise.
        unsafe {
            let sums = sums_in_32_bits(weights, row, x.quants.cast::<u32>().add(step), steps);
            with_starts(sums, starts, stride)
        }
    }
);
kernel!(
    [const SIGNED: bool] Bytes<SIGNED>, signed: SIGNED, byte_tile, 2, [4, 4], [1 2 3 4],
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: BlockQuants,
        (step, steps): (usize, usize),
        starts: *const i32,
        stride: usize,
    ) -> [[v128; N]; R] {
        // SAFETY: the caller's promise.
        unsafe {
            let sums = sums_in_32_bits(weights, row, x.quants.cast::<u32>().add(step), steps);
            // Of signed weights the offset is taken off already.
            if SIGNED { sums } else { with_starts(sums, starts, stride) }
        }
    }
);
kernel!(
    [] Sums16, signed: false, tile, 2, [4, 4], [1 2 3 4],
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: BlockQuants,
        (step, steps): (usize, usize),
        starts: *const i32,
        stride: usize,
    ) -> [[v128; N]; R] {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.quants.cast::<u32>().add(step);
            let sums = match BITS {
                // 2 · 63 · 127 fits twice into 16 bits, 2 · 31 · 127 four times, 2 · 15 · 127 eight.
                6 => {
                    let mut sums = [[i32x4_splat(0); N]; R];
                    for s in (0..steps / 2).map(|pair| 2 * pair) {
                        add_pair(&mut sums, weights.add(s), row, x.add(s));
                    }
                    sums
                }
                5 => add_all(
                    sums_in_16_bits(weights, row, x, 0..steps / 2),
                    sums_in_16_bits(weights, row, x, steps / 2..steps),
                ),
                _ => sums_in_16_bits(weights, row, x, 0..steps),
            };
            with_starts(sums, starts, stride)
        }
    }
);

/// A tile of N tokens.
fn tile<K: Kernel, const R: usize, const N: usize>(
    matrix: &PackedMatrix,
    input: &TileInput<'_>,
    sums: &mut Sums,
) {
    match (matrix.layout.weight_bits(), matrix.layout.has_minimums) {
        (2, _) => layout_tile::<K, 4, true, true, R, N>(input, sums),
        (3, _) => layout_tile::<K, 4, true, false, R, N>(input, sums),
        (4, false) => layout_tile::<K, 4, false, false, R, N>(input, sums),
        (4, true) => layout_tile::<K, 4, false, true, R, N>(input, sums),
        (5, false) => layout_tile::<K, 5, false, false, R, N>(input, sums),
        (5, true) => layout_tile::<K, 5, false, true, R, N>(input, sums),
        (6, _) => layout_tile::<K, 6, true, false, 1, N>(input, sums),
        (bits, _) => unreachable!("weights of {bits} bits in 7: bug"),
    }
}

/// A tile of N tokens and weights of 8 bits.
fn byte_tile<K: Kernel, const R: usize, const N: usize>(
    _: &PackedMatrix,
    input: &TileInput<'_>,
    sums: &mut Sums,
) {
    layout_tile::<K, 8, false, false, R, N>(input, sums);
}

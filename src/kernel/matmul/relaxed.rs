//! WebAssembly with relaxed SIMD: dot products of signed bytes and unsigned 7-bit weights.
//!
//! Both forms are exact for such weights, on every processor:
//! * [`RelaxedDot`]: four products added to 32 bits, one instruction with AVX-VNNI and
//!   with NEON's dotprod, several without.
//! * [`RelaxedShort`]: two products added to 16 bits, one instruction on all x86-64 since
//!   SSSE3; as many are added in 16 bits as the weights' width allows.
//!
//! Weights of 8 bits are multiplied as two nibbles by the first; the second leaves them
//! to simd128's kernel, which takes as few instructions.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::wasm32::*;

use super::panel::{Panel, Run, Scratch};
use super::simd128::{float_operations, form_tile};
use super::tile::{Block, Job, Kernel, Sums, each};
use super::{Line, Matrix};

/// The kernel with sums of 32 bits.
pub(super) struct RelaxedDot;
/// The kernel with sums of 16 bits.
pub(super) struct RelaxedShort;

/// Which bits of the weights are multiplied.
#[derive(Clone, Copy)]
enum Bits {
    All,
    Low,
    High,
}

/// The weights of one step.
///
/// # Safety
/// `weights` is good for the line, `row + 4 R` rows at most.
#[inline(always)]
unsafe fn vectors<const R: usize>(weights: *const Line, row: usize, bits: Bits) -> [v128; R] {
    each(|r| {
        // SAFETY: the caller's promise.
        let vector = unsafe { v128_load(weights.cast::<i32>().add(row).add(r * 4).cast()) };
        match bits {
            Bits::All => vector,
            Bits::Low => v128_and(vector, u8x16_splat(15)),
            Bits::High => u8x16_shr(vector, 4),
        }
    })
}

/// Adds the products of some steps to sums of 32 bits.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn add_dots<const R: usize, const N: usize>(
    sums: &mut [[v128; N]; R],
    weights: *const Line,
    row: usize,
    x: *const u32,
    steps: usize,
    bits: Bits,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for s in 0..steps {
            let vectors: [v128; R] = vectors(weights.add(s), row, bits);
            for n in 0..N {
                let x = v128_load32_splat(x.add(s).add(n * 8));
                for r in 0..R {
                    sums[r][n] = i32x4_relaxed_dot_i8x16_i7x16_add(x, vectors[r], sums[r][n]);
                }
            }
        }
    }
}

/// Sums over the steps of a range, added in 16 bits and then widened.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn short<const R: usize, const N: usize>(
    weights: *const Line,
    row: usize,
    x: *const u32,
    steps: std::ops::Range<usize>,
) -> [[v128; N]; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[i16x8_splat(0); N]; R];
        for s in steps {
            let vectors: [v128; R] = vectors(weights.add(s), row, Bits::All);
            for n in 0..N {
                let x = v128_load32_splat(x.add(s).add(n * 8));
                for r in 0..R {
                    let products = i16x8_relaxed_dot_i8x16_i7x16(x, vectors[r]);
                    sums[r][n] = i16x8_add(sums[r][n], products);
                }
            }
        }
        each(|r| each(|n| i32x4_dot_i16x8(sums[r][n], i16x8_splat(1))))
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
        let weights: [[v128; R]; 2] = each(|s| vectors(weights.add(s), row, Bits::All));
        for n in 0..N {
            let x: [v128; 2] = each(|s| v128_load32_splat(x.add(s).add(n * 8)));
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

/// Both sums in every lane.
#[inline(always)]
fn both<const R: usize, const N: usize>(a: [[v128; N]; R], b: [[v128; N]; R]) -> [[v128; N]; R] {
    each(|r| each(|n| i32x4_add(a[r][n], b[r][n])))
}

/// Adds what sums start from, if anything. Last: loaded first it would only take registers.
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
    let starts: [v128; N] = each(|n| unsafe { v128_load32_splat(starts.add(n * stride).cast()) });
    both(sums, [starts; R])
}

macro_rules! kernel {
    ($name:ident, $r:literal, $tokens:expr, [$($n:literal)*], $dots:item) => {
        // SAFETY of all methods: pointers are good for the vectors that the trait's
        // documentation says.
        impl Kernel for $name {
            type Int = v128;
            type Float = v128;
            const LANES: usize = 4;
            const TOKENS: [usize; 2] = $tokens;
            const IN_MEMORY: bool = true;

            #[inline(always)]
            $dots

            float_operations!();

            unsafe fn widen<'a>(
                scratch: &'a mut Scratch,
                matrix: &'a Matrix,
                run: Run,
            ) -> Panel<'a> {
                scratch.widen(matrix, run, Self::SIGNED)
            }

            unsafe fn tile(matrix: &Matrix, job: &Job<'_>, sums: &mut Sums) {
                match sums.len() {
                    $($n => tile::<Self, $r, $n>(matrix, job, sums),)*
                    other => unreachable!("a tile of {other} tokens: bug"),
                }
            }
        }
    };
}

kernel!(
    RelaxedDot, 2, [4, 4], [1 2 3 4],
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: Block,
        (step, steps): (usize, usize),
        starts: *const i32,
        stride: usize,
    ) -> [[v128; N]; R] {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.quants.cast::<u32>().add(step);
            let mut sums = [[i32x4_splat(0); N]; R];
            if BITS == 8 {
                // 16 · high + low, in the same registers.
                add_dots(&mut sums, weights, row, x, steps, Bits::High);
                sums = each(|r| each(|n| i32x4_shl(sums[r][n], 4)));
                add_dots(&mut sums, weights, row, x, steps, Bits::Low);
            } else {
                add_dots(&mut sums, weights, row, x, steps, Bits::All);
            }
            with_starts(sums, starts, stride)
        }
    }
);
kernel!(
    RelaxedShort, 2, [4, 4], [1 2 3 4],
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: Block,
        (step, steps): (usize, usize),
        starts: *const i32,
        stride: usize,
    ) -> [[v128; N]; R] {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.quants.cast::<u32>().add(step);
            let sums = match BITS {
                8 => unreachable!("8 bits do not fit: bug"),
                // 2 · 63 · 127 fits twice into 16 bits, 2 · 31 · 127 four times, 2 · 15 · 127 eight.
                6 => {
                    let mut sums = [[i32x4_splat(0); N]; R];
                    for s in (0..steps / 2).map(|pair| 2 * pair) {
                        add_pair(&mut sums, weights.add(s), row, x.add(s));
                    }
                    sums
                }
                5 => both(
                    short(weights, row, x, 0..steps / 2),
                    short(weights, row, x, steps / 2..steps),
                ),
                _ => short(weights, row, x, 0..steps),
            };
            with_starts(sums, starts, stride)
        }
    }
);

/// A tile of N tokens.
fn tile<K: Kernel, const R: usize, const N: usize>(
    matrix: &Matrix,
    job: &Job<'_>,
    sums: &mut Sums,
) {
    match (matrix.form.bits, matrix.form.minimums) {
        (2, _) => form_tile::<K, 4, true, true, R, N>(job, sums),
        (3, _) => form_tile::<K, 4, true, false, R, N>(job, sums),
        (4, false) => form_tile::<K, 4, false, false, R, N>(job, sums),
        (4, true) => form_tile::<K, 4, false, true, R, N>(job, sums),
        (5, false) => form_tile::<K, 5, false, false, R, N>(job, sums),
        (5, true) => form_tile::<K, 5, false, true, R, N>(job, sums),
        (6, _) => form_tile::<K, 6, true, false, 1, N>(job, sums),
        _ => form_tile::<K, 8, false, false, R, N>(job, sums),
    }
}

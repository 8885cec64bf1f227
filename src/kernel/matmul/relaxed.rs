//! WebAssembly with relaxed SIMD: dot products of signed bytes and unsigned 7-bit weights.
//!
//! Two forms are exact for such weights, on every processor:
//! * [`RelaxedDot`]: four products added to 32 bits, one instruction with AVX-VNNI and
//!   with NEON's dotprod, several without.
//! * [`RelaxedShort`]: two products added to 16 bits, one instruction on all x86-64 since
//!   SSSE3; as many are added in 16 bits as the weights' width allows.
//!
//! What comes of weights of 8 bits is left to the engine by the standard: AVX-VNNI's instruction
//! takes them as unsigned, NEON's as signed, and the instructions without them saturate. Where
//! they are the one or the other, [`RelaxedBytes`] multiplies 8 bits at once; elsewhere they are
//! left to simd128's kernel.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::wasm32::*;
use std::hint::black_box;

use super::panel::{Panel, Run, Scratch};
use super::simd128::{float_operations, form_tile};
use super::tile::{Block, Job, Kernel, Sums, each};
use super::{Line, Matrix, STEP};

/// The kernel with sums of 32 bits.
pub(super) struct RelaxedDot;
/// The same for weights of 8 bits, where the engine takes them as signed, or as unsigned.
pub(super) struct RelaxedBytes<const SIGNED: bool>;
/// The kernel with sums of 16 bits.
pub(super) struct RelaxedShort;

/// How the engine's dot product takes weights of 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bytes {
    Signed,
    Unsigned,
}

/// Finds out how weights of 8 bits are taken; nothing if neither as signed nor as unsigned. The
/// standard leaves that to the engine, but demands the same of all modules at all times.
pub(super) fn bytes() -> Option<Bytes> {
    let is = |taken: fn(u8) -> i32| {
        // Sums of two products beyond 16 bits, of either sign, where saturation would show.
        [127, -127].into_iter().all(|x: i8| {
            [127, 128, 129, 200, 255].into_iter().all(|weight: u8| {
                let (x, weight) = (black_box(x), black_box(weight));
                let sums = i32x4_relaxed_dot_i8x16_i7x16_add(
                    i8x16_splat(x),
                    u8x16_splat(weight),
                    i32x4_splat(7),
                );
                let sum = 7 + STEP as i32 * i32::from(x) * taken(weight);
                i32x4_all_true(i32x4_eq(sums, i32x4_splat(sum)))
            })
        })
    };
    if is(|weight| i32::from(weight as i8)) {
        Some(Bytes::Signed)
    } else if is(i32::from) {
        Some(Bytes::Unsigned)
    } else {
        None
    }
}

/// The weights of one step.
///
/// # Safety
/// `weights` is good for the line, `row + 4 R` rows at most.
#[inline(always)]
unsafe fn vectors<const R: usize>(weights: *const Line, row: usize) -> [v128; R] {
    // SAFETY: the caller's promise.
    each(|r| unsafe { v128_load(weights.cast::<i32>().add(row).add(r * 4).cast()) })
}

/// Sums over some steps, added in 32 bits.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn long<const R: usize, const N: usize>(
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
            let vectors: [v128; R] = vectors(weights.add(s), row);
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
        let weights: [[v128; R]; 2] = each(|s| vectors(weights.add(s), row));
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
    (
        [$($generic:tt)*] $name:ty, signed: $signed:expr, $tile:ident,
        $r:literal, $tokens:expr, [$($n:literal)*], $dots:item
    ) => {
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
                scratch: &'a mut Scratch,
                matrix: &'a Matrix,
                run: Run,
            ) -> Panel<'a> {
                scratch.widen(matrix, run, Self::SIGNED)
            }

            unsafe fn tile(matrix: &Matrix, job: &Job<'_>, sums: &mut Sums) {
                match sums.len() {
                    $($n => $tile::<Self, $r, $n>(matrix, job, sums),)*
                    other => unreachable!("a tile of {other} tokens: bug"),
                }
            }
        }
    };
}

kernel!(
    [] RelaxedDot, signed: false, tile, 2, [4, 4], [1 2 3 4],
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
            let sums = long(weights, row, x.quants.cast::<u32>().add(step), steps);
            with_starts(sums, starts, stride)
        }
    }
);
kernel!(
    [const SIGNED: bool] RelaxedBytes<SIGNED>, signed: SIGNED, tile_of_bytes, 2, [4, 4], [1 2 3 4],
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
            let sums = long(weights, row, x.quants.cast::<u32>().add(step), steps);
            // Of signed weights the offset is taken off already.
            if SIGNED { sums } else { with_starts(sums, starts, stride) }
        }
    }
);
kernel!(
    [] RelaxedShort, signed: false, tile, 2, [4, 4], [1 2 3 4],
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
        (bits, _) => unreachable!("weights of {bits} bits in 7: bug"),
    }
}

/// A tile of N tokens and weights of 8 bits.
fn tile_of_bytes<K: Kernel, const R: usize, const N: usize>(
    _: &Matrix,
    job: &Job<'_>,
    sums: &mut Sums,
) {
    form_tile::<K, 8, false, false, R, N>(job, sums);
}

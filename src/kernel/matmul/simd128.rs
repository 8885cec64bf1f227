//! WebAssembly with simd128: `i32x4.dot_i16x8` adds two products of 16 bits, exactly.
//!
//! Weights and activations are widened to 16 bits, the weights' offset already taken off.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::wasm32::*;

use super::panel::{Panel, Run, Scratch};
use super::tile::{Block, Job, Kernel, Sums, each, run_tile};
use super::{LINES, Line, Matrix};

/// The kernel of simd128.
pub(super) struct Simd128;

/// Float operations that all WebAssembly kernels share.
macro_rules! float_operations {
    () => {
        #[inline(always)]
        unsafe fn float(value: v128) -> v128 {
            f32x4_convert_i32x4(value)
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> v128 {
            // SAFETY: the trait's promise.
            unsafe { v128_load(at.cast()) }
        }
        #[inline(always)]
        unsafe fn store(at: *mut f32, value: v128) {
            // SAFETY: the trait's promise.
            unsafe { v128_store(at.cast(), value) }
        }
        #[inline(always)]
        unsafe fn splat(at: *const f32) -> v128 {
            // SAFETY: the trait's promise.
            unsafe { v128_load32_splat(at.cast()) }
        }
        #[inline(always)]
        unsafe fn mul(a: v128, b: v128) -> v128 {
            f32x4_mul(a, b)
        }
        #[inline(always)]
        unsafe fn add(a: v128, b: v128) -> v128 {
            f32x4_add(a, b)
        }
    };
}
#[cfg(target_feature = "relaxed-simd")]
pub(super) use float_operations;

// SAFETY of all methods: pointers are good for the vectors that the trait's documentation says.
impl Kernel for Simd128 {
    type Int = v128;
    type Float = v128;
    const LANES: usize = 4;
    const TOKENS: [usize; 2] = [4, 4];
    const IN_MEMORY: bool = true;
    const SIGNED: bool = true;
    const LINES: usize = 2 * LINES;

    #[inline(always)]
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: Block,
        (step, steps): (usize, usize),
        _: *const i32,
        _: usize,
    ) -> [[v128; N]; R] {
        // SAFETY: the caller's promise; a step of 4 inputs is two lines of 2 inputs of 16 bits.
        unsafe {
            let mut sums = [[i32x4_splat(0); N]; R];
            for s in 0..2 * steps {
                let vectors: [v128; R] = each(|r| {
                    v128_load(weights.add(s).cast::<i32>().add(row).add(r * Self::LANES).cast())
                });
                for n in 0..N {
                    let x = x.wide.cast::<u32>().add(2 * step + s).add(n * 16);
                    let x = v128_load32_splat(x);
                    for r in 0..R {
                        sums[r][n] = i32x4_add(sums[r][n], i32x4_dot_i16x8(vectors[r], x));
                    }
                }
            }
            sums
        }
    }

    float_operations!();

    unsafe fn widen<'a>(scratch: &'a mut Scratch, matrix: &'a Matrix, run: Run) -> Panel<'a> {
        let mut wide = std::mem::take(&mut scratch.wide);
        let panel = scratch.widen(matrix, run, Self::SIGNED);
        let blocks = panel.blocks;
        wide.resize(wide.len().max(2 * panel.weights.len()), Line::ZERO);
        for (bytes, wide) in panel.weights.iter().zip(wide.as_chunks_mut().0) {
            widen_line(bytes, wide);
        }
        scratch.wide = wide;
        let parts = blocks * matrix.form.parts();
        let minimums = if matrix.form.minimums { &scratch.minimums[..parts] } else { &[] };
        Panel { blocks, weights: &scratch.wide, scales: &scratch.scales[..parts], minimums }
    }

    unsafe fn tile(matrix: &Matrix, job: &Job<'_>, sums: &mut Sums) {
        match sums.len() {
            1 => tile::<1>(matrix, job, sums),
            2 => tile::<2>(matrix, job, sums),
            3 => tile::<3>(matrix, job, sums),
            _ => tile::<4>(matrix, job, sums),
        }
    }
}

/// `[ROWS, 4]` bytes to twice `[ROWS, 2]` of 16 bits.
fn widen_line(bytes: &Line, wide: &mut [Line; 2]) {
    for i in (0..64).step_by(16) {
        // SAFETY: 16 bytes from i on lie within a line of 64.
        unsafe {
            let v = v128_load(bytes.0[i..].as_ptr().cast());
            let [first, second] = wide;
            // The first two inputs of each of four rows, then the other two.
            let v = i16x8_shuffle::<0, 2, 4, 6, 1, 3, 5, 7>(v, v);
            v128_store(first.0[i..].as_mut_ptr().cast(), i16x8_extend_low_i8x16(v));
            v128_store(second.0[i..].as_mut_ptr().cast(), i16x8_extend_high_i8x16(v));
        }
    }
}

/// A tile of N tokens.
fn tile<const N: usize>(matrix: &Matrix, job: &Job<'_>, sums: &mut Sums) {
    type K = Simd128;
    match (matrix.form.halves, matrix.form.minimums) {
        (false, false) => form_tile::<K, 8, false, false, 2, N>(job, sums),
        (false, true) => form_tile::<K, 8, false, true, 2, N>(job, sums),
        (true, false) => form_tile::<K, 8, true, false, 2, N>(job, sums),
        (true, true) => form_tile::<K, 8, true, true, 2, N>(job, sums),
    }
}

/// [`run_tile`] as a function of its own: V8 gives registers out worse in longer ones.
#[inline(never)]
pub(super) fn form_tile<
    K: Kernel,
    const BITS: usize,
    const HALVES: bool,
    const MINIMUMS: bool,
    const R: usize,
    const N: usize,
>(
    job: &Job<'_>,
    sums: &mut Sums,
) {
    // SAFETY: WebAssembly modules with these instructions run only where they are.
    unsafe { run_tile::<K, BITS, HALVES, MINIMUMS, R, N>(job, sums) }
}

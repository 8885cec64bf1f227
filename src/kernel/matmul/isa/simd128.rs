//! WebAssembly with simd128: `i32x4.dot_i16x8` adds two products of 16 bits, exactly.
//!
//! Weights and activations are widened to 16 bits, the weights less their offset.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::wasm32::*;

use crate::kernel::lanes::array_from_fn;
use crate::kernel::matmul::layout::{
    BlockRange, LINES, Line, PackedMatrix, TableLookup, WidePanel, WidenScratch,
};
use crate::kernel::matmul::tile::{BlockQuants, Kernel, Sums, TileInput, run_tile};

/// The kernel of simd128.
pub struct Simd128;

impl TableLookup for Simd128 {
    #[inline(always)]
    unsafe fn look_up(table: &[u8; 16], line: &mut Line) {
        look_up(table, line);
    }
}

/// [`TableLookup::look_up`] by `i8x16.swizzle`.
#[inline(always)]
pub fn look_up(table: &[u8; 16], line: &mut Line) {
    // SAFETY: a line holds four vectors.
    unsafe {
        let table = v128_load(table.as_ptr().cast());
        let vectors = line.0.as_mut_ptr().cast::<v128>();
        for i in 0..4 {
            v128_store(vectors.add(i), i8x16_swizzle(table, v128_load(vectors.add(i))));
        }
    }
}

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
        x: BlockQuants,
        (step, steps): (usize, usize),
        _: *const i32,
        _: usize,
    ) -> [[v128; N]; R] {
        // SAFETY: the caller's promise; a step of 4 inputs is two lines of 2 inputs of 16 bits.
        unsafe {
            let mut sums = [[i32x4_splat(0); N]; R];
            for s in 0..2 * steps {
                let vectors: [v128; R] = array_from_fn(|r| {
                    v128_load(weights.add(s).cast::<i32>().add(row).add(r * Self::LANES).cast())
                });
                for n in 0..N {
                    let x = x.quants16.cast::<u32>().add(2 * step + s).add(n * 16);
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

    unsafe fn widen<'a>(
        scratch: &'a mut WidenScratch,
        matrix: &'a PackedMatrix,
        range: BlockRange,
    ) -> WidePanel<'a> {
        // SAFETY: the caller's promise.
        unsafe { scratch.widen_to_16_bits::<Self>(matrix, range, widen_line) }
    }

    unsafe fn tile(matrix: &PackedMatrix, input: &TileInput<'_>, sums: &mut Sums) {
        match sums.len() {
            1 => tile::<1>(matrix, input, sums),
            2 => tile::<2>(matrix, input, sums),
            3 => tile::<3>(matrix, input, sums),
            _ => tile::<4>(matrix, input, sums),
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
fn tile<const N: usize>(matrix: &PackedMatrix, input: &TileInput<'_>, sums: &mut Sums) {
    type K = Simd128;
    match (matrix.layout.two_scales, matrix.layout.has_minimums) {
        (false, false) => layout_tile::<K, 8, false, false, 2, N>(input, sums),
        (false, true) => layout_tile::<K, 8, false, true, 2, N>(input, sums),
        (true, false) => layout_tile::<K, 8, true, false, 2, N>(input, sums),
        (true, true) => layout_tile::<K, 8, true, true, 2, N>(input, sums),
    }
}

/// [`run_tile`] as a function of its own: V8 allocates registers worse in longer ones.
#[inline(never)]
pub fn layout_tile<
    K: Kernel,
    const BITS: usize,
    const TWO_SCALES: bool,
    const MINIMUMS: bool,
    const R: usize,
    const N: usize,
>(
    input: &TileInput<'_>,
    sums: &mut Sums,
) {
    // SAFETY: WebAssembly modules with these instructions run only where they are.
    unsafe { run_tile::<K, BITS, TWO_SCALES, MINIMUMS, R, N>(input, sums) }
}

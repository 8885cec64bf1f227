//! AArch64: products of signed bytes, four of them added to an i32, exactly.
//!
//! With dot products that is one instruction, `sdot`, without them four. The intrinsic,
//! `vdotq_laneq_s32`, is not stable in Rust 1.95 (issue 117224), so the instruction is written
//! in assembly. Tested under QEMU, but not measured on a processor of this architecture.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::aarch64::*;
use std::arch::asm;

use crate::kernel::lanes::array_from_fn;
use crate::kernel::matmul::layout::{
    BlockRange, Line, PackedMatrix, TableLookup, WidePanel, WidenScratch,
};
use crate::kernel::matmul::tile::{BlockQuants, Kernel, Sums, TileInput, run_tile};

/// The kernel of NEON, with dot products or without.
pub struct Neon<const DOT: bool>;

impl<const DOT: bool> TableLookup for Neon<DOT> {
    #[inline(always)]
    unsafe fn look_up(table: &[u8; 16], line: &mut Line) {
        // SAFETY: all processors of this architecture have NEON; a line holds four vectors.
        unsafe {
            let table = vld1q_u8(table.as_ptr());
            for i in 0..4 {
                let vector = line.0.as_mut_ptr().add(16 * i);
                vst1q_u8(vector, vqtbl1q_u8(table, vld1q_u8(vector)));
            }
        }
    }
}

/// sums + the products of each four weights with the four activations in lane `LANE` of `x`.
///
/// # Safety
/// If `DOT`, the processor has dot products.
#[inline(always)]
unsafe fn dot<const DOT: bool, const LANE: i32>(
    mut sums: int32x4_t,
    weights: int8x16_t,
    x: int8x16_t,
) -> int32x4_t {
    if DOT {
        // SAFETY: the instruction touches its operands alone and is there by the caller's promise.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {sums:v}.4s, {weights:v}.16b, {x:v}.4b[{lane}]",
                sums = inout(vreg) sums, weights = in(vreg) weights, x = in(vreg) x,
                lane = const LANE,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        return sums;
    }
    // SAFETY: all processors of this architecture have NEON.
    unsafe {
        let x = vreinterpretq_s8_s32(vdupq_laneq_s32::<LANE>(vreinterpretq_s32_s8(x)));
        let low = vpaddlq_s16(vmull_s8(vget_low_s8(weights), vget_low_s8(x)));
        let high = vpaddlq_s16(vmull_high_s8(weights, x));
        vaddq_s32(sums, vpaddq_s32(low, high))
    }
}

// SAFETY of all methods: the trait's promise that the instructions are there; pointers are good for
// the vectors that the trait's documentation says.
impl<const DOT: bool> Kernel for Neon<DOT> {
    type Int = int32x4_t;
    type Float = float32x4_t;
    const LANES: usize = 4;
    const TOKENS: [usize; 2] = [4, 4];
    const IN_MEMORY: bool = true;
    const SIGNED: bool = true;

    #[inline(always)]
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: BlockQuants,
        (step, _): (usize, usize),
        _: *const i32,
        _: usize,
    ) -> [[int32x4_t; N]; R] {
        unsafe {
            let mut sums = [[vdupq_n_s32(0); N]; R];
            // Four steps' activations are one vector.
            for four in (0..STEPS).step_by(4) {
                let x: [int8x16_t; N] = array_from_fn(|n| {
                    vld1q_s8(x.quants.add(n).cast::<i8>().add((step + four) * 4))
                });
                let vectors = |s: usize| -> [int8x16_t; R] {
                    array_from_fn(|r| {
                        let line = weights.add(four + s).cast::<i8>();
                        vld1q_s8(line.add((row + r * Self::LANES) * 4))
                    })
                };
                let weights = vectors(0);
                sums = array_from_fn(|r| {
                    array_from_fn(|n| dot::<DOT, 0>(sums[r][n], weights[r], x[n]))
                });
                let weights = vectors(1);
                sums = array_from_fn(|r| {
                    array_from_fn(|n| dot::<DOT, 1>(sums[r][n], weights[r], x[n]))
                });
                let weights = vectors(2);
                sums = array_from_fn(|r| {
                    array_from_fn(|n| dot::<DOT, 2>(sums[r][n], weights[r], x[n]))
                });
                let weights = vectors(3);
                sums = array_from_fn(|r| {
                    array_from_fn(|n| dot::<DOT, 3>(sums[r][n], weights[r], x[n]))
                });
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn float(value: int32x4_t) -> float32x4_t {
        unsafe { vcvtq_f32_s32(value) }
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> float32x4_t {
        unsafe { vld1q_f32(at) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut f32, value: float32x4_t) {
        unsafe { vst1q_f32(at, value) }
    }
    #[inline(always)]
    unsafe fn splat(at: *const f32) -> float32x4_t {
        unsafe { vdupq_n_f32(*at) }
    }
    #[inline(always)]
    unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vaddq_f32(a, b) }
    }

    #[target_feature(enable = "neon")]
    unsafe fn widen<'a>(
        scratch: &'a mut WidenScratch,
        matrix: &'a PackedMatrix,
        range: BlockRange,
    ) -> WidePanel<'a> {
        unsafe { scratch.widen::<Self>(matrix, range, Self::SIGNED) }
    }

    unsafe fn tile(matrix: &PackedMatrix, input: &TileInput<'_>, sums: &mut Sums) {
        // SAFETY: the caller's promise.
        unsafe {
            match sums.len() {
                1 => tile::<DOT, 1>(matrix, input, sums),
                2 => tile::<DOT, 2>(matrix, input, sums),
                3 => tile::<DOT, 3>(matrix, input, sums),
                _ => tile::<DOT, 4>(matrix, input, sums),
            }
        }
    }
}

/// A tile of N tokens.
///
/// # Safety
/// If `DOT`, the processor has dot products.
#[target_feature(enable = "neon")]
unsafe fn tile<const DOT: bool, const N: usize>(
    matrix: &PackedMatrix,
    input: &TileInput<'_>,
    sums: &mut Sums,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match (matrix.layout.two_scales, matrix.layout.has_minimums) {
            (false, false) => run_tile::<Neon<DOT>, 8, false, false, 4, N>(input, sums),
            (false, true) => run_tile::<Neon<DOT>, 8, false, true, 4, N>(input, sums),
            (true, false) => run_tile::<Neon<DOT>, 8, true, false, 4, N>(input, sums),
            (true, true) => run_tile::<Neon<DOT>, 8, true, true, 4, N>(input, sums),
        }
    }
}

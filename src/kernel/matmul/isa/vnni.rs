//! x86-64 with `vpdpbusd`: four products of unsigned and signed bytes, added to an i32, exactly.
//!
//! AVX-512 VNNI has it for 16 rows at once. AVX-VNNI has it for 8, and so has
//! AVX-512 VNNI with VL, with which that kernel is tested on processors without AVX-VNNI.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use super::avx2;
use crate::kernel::lanes::array_from_fn;
use crate::kernel::matmul::layout::{
    BlockRange, Line, PackedMatrix, TableLookup, WidePanel, WidenScratch,
};
use crate::kernel::matmul::tile::{BlockQuants, Kernel, Sums, TileInput, run_tile};

macro_rules! kernel {
    (
        $name:ident, $features:literal, $float:ident, $int:ident, $lanes:literal, $r:literal, $tokens:expr, [$($n:literal)*],
        $in_memory:literal, $dot:ident, $splat_int:ident, $zero:ident, $add_int:ident, $load_int:ident,
        $convert:ident, $load:ident, $store:ident, $splat:ident, $mul:ident, $add:ident
    ) => {
        /// The kernel of one instruction set.
        pub struct $name;

        impl TableLookup for $name {
            #[inline(always)]
            unsafe fn look_up(table: &[u8; 16], line: &mut Line) {
                // SAFETY: all processors with these instructions have AVX2.
                unsafe { avx2::look_up(table, line) }
            }
        }

        // SAFETY of all methods: the trait's promise that the instructions are there; pointers are
        // good for the vectors that the trait's documentation says.
        impl Kernel for $name {
            type Int = $int;
            type Float = $float;
            const LANES: usize = $lanes;
            const TOKENS: [usize; 2] = $tokens;
            const IN_MEMORY: bool = $in_memory;

            #[inline(always)]
            unsafe fn dots<
                const BITS: usize,
                const STEPS: usize,
                const R: usize,
                const N: usize,
            >(
                weights: *const Line,
                row: usize,
                x: BlockQuants,
                (step, steps): (usize, usize),
                starts: *const i32,
                stride: usize,
            ) -> [[$int; N]; R] {
                unsafe {
                    let start = |n: usize| {
                        if starts.is_null() { $zero() } else { $splat_int(*starts.add(n * stride)) }
                    };
                    let mut sums: [[$int; N]; R] = [array_from_fn(start); R];
                    // With few tokens, two chains of sums hide the instruction's latency.
                    let mut others: [[$int; N]; R] = [[$zero(); N]; R];
                    // `steps` is hidden from LLVM: in an unrolled loop it may order some tiles'
                    // products by token, which then wait for each other.
                    let steps = if R * N < 4 { STEPS } else { steps };
                    for s in 0..steps {
                        let sums = if R * N < 4 && s % 2 == 1 { &mut others } else { &mut sums };
                        let vectors: [$int; R] = array_from_fn(|r| {
                            $load_int(weights.add(s).cast::<i32>().add(row + r * $lanes).cast())
                        });
                        for n in 0..N {
                            let quants = x.quants.add(n).cast::<i32>().add(step + s);
                            let quants = $splat_int(*quants);
                            for r in 0..R {
                                sums[r][n] = $dot(sums[r][n], vectors[r], quants);
                            }
                        }
                    }
                    if R * N < 4 {
                        sums = array_from_fn(|r| array_from_fn(|n| $add_int(sums[r][n], others[r][n])));
                    }
                    sums
                }
            }

            #[inline(always)]
            unsafe fn float(value: $int) -> $float {
                unsafe { $convert(value) }
            }
            #[inline(always)]
            unsafe fn load(at: *const f32) -> $float {
                unsafe { $load(at) }
            }
            #[inline(always)]
            unsafe fn store(at: *mut f32, value: $float) {
                unsafe { $store(at, value) }
            }
            #[inline(always)]
            unsafe fn splat(at: *const f32) -> $float {
                unsafe { $splat(*at) }
            }
            #[inline(always)]
            unsafe fn mul(a: $float, b: $float) -> $float {
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            unsafe fn add(a: $float, b: $float) -> $float {
                unsafe { $add(a, b) }
            }

            #[target_feature(enable = $features)]
            unsafe fn widen<'a>(
                scratch: &'a mut WidenScratch,
                matrix: &'a PackedMatrix,
                range: BlockRange,
            ) -> WidePanel<'a> {
                unsafe { scratch.widen::<Self>(matrix, range, Self::SIGNED) }
            }

            unsafe fn tile(matrix: &PackedMatrix, input: &TileInput<'_>, sums: &mut Sums) {
                unsafe {
                    match sums.len() {
                        $($n => $name::tile_of::<$n>(matrix, input, sums),)*
                        other => unreachable!("a tile of {other} tokens: bug"),
                    }
                }
            }
        }

        impl $name {
            /// A tile of N tokens.
            #[target_feature(enable = $features)]
            fn tile_of<const N: usize>(matrix: &PackedMatrix, input: &TileInput<'_>, sums: &mut Sums) {
                // The products are exact for all widths, so that one kernel serves all of them.
                // SAFETY: the instructions are there, as this function needs them too.
                unsafe {
                    match (matrix.layout.two_scales, matrix.layout.has_minimums) {
                        (false, false) => run_tile::<Self, 8, false, false, $r, N>(input, sums),
                        (false, true) => run_tile::<Self, 8, false, true, $r, N>(input, sums),
                        (true, false) => run_tile::<Self, 8, true, false, $r, N>(input, sums),
                        (true, true) => run_tile::<Self, 8, true, true, $r, N>(input, sums),
                    }
                }
            }
        }
    };
}

kernel!(
    Avx512Vnni, "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni", __m512, __m512i, 16, 1, [12, 8], [1 2 3 4 5 6 7 8 9 10 11 12],
    false, _mm512_dpbusd_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_add_epi32, _mm512_load_si512,
    _mm512_cvtepi32_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_mul_ps, _mm512_add_ps
);
kernel!(
    AvxVnni, "avx2,avxvnni", __m256, __m256i, 8, 2, [4, 4], [1 2 3 4],
    true, _mm256_dpbusd_avx_epi32, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_add_epi32, _mm256_load_si256,
    _mm256_cvtepi32_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_mul_ps, _mm256_add_ps
);
#[cfg(any(test, feature = "bench"))]
kernel!(
    Avx512Vnni256, "avx2,avx512f,avx512vl,avx512vnni", __m256, __m256i, 8, 2, [4, 4], [1 2 3 4],
    true, _mm256_dpbusd_epi32, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_add_epi32, _mm256_load_si256,
    _mm256_cvtepi32_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_mul_ps, _mm256_add_ps
);

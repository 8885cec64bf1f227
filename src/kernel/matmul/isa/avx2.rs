//! x86-64 with AVX2: `vpmaddubsw` adds two products of unsigned and signed bytes
//! to 16 bits, and saturates there.
//!
//! Short weights cannot saturate it: 2 · 15 · 127 fits eight times into 16 bits, 2 · 31 · 127
//! four times and 2 · 63 · 127 twice, so that as many sums are added in 16 bits before
//! they are widened. Weights of 8 bits are multiplied as two nibbles.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use crate::kernel::lanes::array_from_fn;
use crate::kernel::matmul::layout::{
    BlockRange, Line, PackedMatrix, TableLookup, WidePanel, WidenScratch,
};
use crate::kernel::matmul::tile::{BlockQuants, Kernel, Sums, TileInput, run_tile};

/// The kernel of AVX2.
pub struct Avx2;

/// The sums of a tile in 16 bits.
type Sums16<const R: usize, const N: usize> = [[__m256i; N]; R];

impl TableLookup for Avx2 {
    #[inline(always)]
    unsafe fn look_up(table: &[u8; 16], line: &mut Line) {
        // SAFETY: the trait's promise.
        unsafe { look_up(table, line) }
    }
}

/// [`TableLookup::look_up`] by `vpshufb`, of 32 bytes at once.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub unsafe fn look_up(table: &[u8; 16], line: &mut Line) {
    // SAFETY: the caller's promise; a line holds two vectors, and is aligned to them.
    unsafe {
        let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
        let vectors = line.0.as_mut_ptr().cast::<__m256i>();
        for i in 0..2 {
            let indices = _mm256_load_si256(vectors.add(i));
            _mm256_store_si256(vectors.add(i), _mm256_shuffle_epi8(table, indices));
        }
    }
}

/// Which bits of the weights are multiplied.
#[derive(Clone, Copy, PartialEq)]
enum Bits {
    All,
    Low,
    High,
}

/// Sums of 16 bits over the steps of a range.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn short_sums<const R: usize, const N: usize>(
    weights: *const Line,
    row: usize,
    x: *const i32,
    steps: std::ops::Range<usize>,
    bits: Bits,
) -> Sums16<R, N> {
    // SAFETY: the caller's promise.
    unsafe {
        let nibble = _mm256_set1_epi8(15);
        let mut sums = [[_mm256_setzero_si256(); N]; R];
        for s in steps {
            let vectors: [__m256i; R] = array_from_fn(|r| {
                let at = weights.add(s).cast::<i32>().add(row + r * Avx2::LANES);
                let vector = _mm256_load_si256(at.cast());
                match bits {
                    Bits::All => vector,
                    Bits::Low => _mm256_and_si256(vector, nibble),
                    Bits::High => _mm256_and_si256(_mm256_srli_epi16::<4>(vector), nibble),
                }
            });
            for n in 0..N {
                let quants = _mm256_set1_epi32(*x.add(n * 8 + s));
                for r in 0..R {
                    let products = _mm256_maddubs_epi16(vectors[r], quants);
                    sums[r][n] = _mm256_add_epi16(sums[r][n], products);
                }
            }
        }
        sums
    }
}

/// Adds sums of 16 bits, times a factor, to those of 32.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn widen_sums<const R: usize, const N: usize>(
    sums: &mut [[__m256i; N]; R],
    short: Sums16<R, N>,
    factor: i16,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let factor = _mm256_set1_epi16(factor);
        for r in 0..R {
            for n in 0..N {
                let wide = _mm256_madd_epi16(short[r][n], factor);
                sums[r][n] = _mm256_add_epi32(sums[r][n], wide);
            }
        }
    }
}

/// Adds the products of `count` steps, two of which fit into 16 bits.
///
/// # Safety
/// As [`Kernel::dots`].
#[inline(always)]
unsafe fn add_pairs<const R: usize, const N: usize>(
    sums: &mut [[__m256i; N]; R],
    weights: *const Line,
    row: usize,
    x: *const i32,
    count: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let one = _mm256_set1_epi16(1);
        for s in (0..count / 2).map(|pair| 2 * pair) {
            let vector = |s: usize, r: usize| {
                let at = weights.add(s).cast::<i32>().add(row + r * Avx2::LANES);
                _mm256_load_si256(at.cast())
            };
            for n in 0..N {
                let x: [__m256i; 2] = array_from_fn(|i| _mm256_set1_epi32(*x.add(n * 8 + s + i)));
                for r in 0..R {
                    let pair = _mm256_add_epi16(
                        _mm256_maddubs_epi16(vector(s, r), x[0]),
                        _mm256_maddubs_epi16(vector(s + 1, r), x[1]),
                    );
                    sums[r][n] = _mm256_add_epi32(sums[r][n], _mm256_madd_epi16(pair, one));
                }
            }
        }
    }
}

// SAFETY of all methods: the trait's promise that the instructions are there; pointers are good for
// the vectors that the trait's documentation says.
impl Kernel for Avx2 {
    type Int = __m256i;
    type Float = __m256;
    const LANES: usize = 8;
    const TOKENS: [usize; 2] = [4, 4];
    const IN_MEMORY: bool = true;

    #[inline(always)]
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: BlockQuants,
        (step, steps): (usize, usize),
        starts: *const i32,
        stride: usize,
    ) -> [[__m256i; N]; R] {
        unsafe {
            let x = x.quants.cast::<i32>().add(step);
            let start = |n: usize| {
                if starts.is_null() {
                    _mm256_setzero_si256()
                } else {
                    _mm256_set1_epi32(*starts.add(n * stride))
                }
            };
            let mut sums: [[__m256i; N]; R] = [array_from_fn(start); R];
            if BITS == 8 {
                let high = short_sums(weights, row, x, 0..steps, Bits::High);
                widen_sums(&mut sums, high, 16);
                let low = short_sums(weights, row, x, 0..steps, Bits::Low);
                widen_sums(&mut sums, low, 1);
            } else if BITS == 6 {
                add_pairs(&mut sums, weights, row, x, steps);
            } else {
                let runs = if BITS == 5 { 2 } else { 1 };
                for run in 0..runs {
                    let steps = run * steps / runs..(run + 1) * steps / runs;
                    let short = short_sums(weights, row, x, steps, Bits::All);
                    widen_sums(&mut sums, short, 1);
                }
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn float(value: __m256i) -> __m256 {
        unsafe { _mm256_cvtepi32_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn store(at: *mut f32, value: __m256) {
        unsafe { _mm256_storeu_ps(at, value) }
    }
    #[inline(always)]
    unsafe fn splat(at: *const f32) -> __m256 {
        unsafe { _mm256_set1_ps(*at) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }

    #[target_feature(enable = "avx2")]
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
                1 => tile::<1>(matrix, input, sums),
                2 => tile::<2>(matrix, input, sums),
                3 => tile::<3>(matrix, input, sums),
                _ => tile::<4>(matrix, input, sums),
            }
        }
    }
}

/// A tile of N tokens.
#[target_feature(enable = "avx2")]
fn tile<const N: usize>(matrix: &PackedMatrix, input: &TileInput<'_>, sums: &mut Sums) {
    type K = Avx2;
    // SAFETY: AVX2 is there, as this function needs it too.
    unsafe {
        match (matrix.layout.weight_bits(), matrix.layout.has_minimums) {
            (2, _) => run_tile::<K, 4, true, true, 2, N>(input, sums),
            (3, _) => run_tile::<K, 4, true, false, 2, N>(input, sums),
            (4, false) => run_tile::<K, 4, false, false, 2, N>(input, sums),
            (4, true) => run_tile::<K, 4, false, true, 2, N>(input, sums),
            (5, false) => run_tile::<K, 5, false, false, 2, N>(input, sums),
            (5, true) => run_tile::<K, 5, false, true, 2, N>(input, sums),
            (6, _) => run_tile::<K, 6, true, false, 2, N>(input, sums),
            _ => run_tile::<K, 8, false, false, 2, N>(input, sums),
        }
    }
}

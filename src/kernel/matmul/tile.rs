//! The inner loops that all vector kernels share: tiles of rows × tokens.
//!
//! A kernel gives the integer sums of a block and the few float operations;
//! the order in which floats are scaled and added is written here alone.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use super::activations::{OffsetTerms, QuantBlock, QuantizedActivations};
use super::layout::{
    BLOCK, BlockRange, LINES, Line, PackedMatrix, RANGE, ROWS, TableLookup, WidePanel, WidenScratch,
};
use crate::kernel::lanes::array_from_fn;

/// Sums of a panel: `[tokens, ROWS]`.
pub type Sums = [[f32; ROWS]];

/// A widened range of a panel and the activations of the same blocks; a tile takes the tokens from
/// `first` on.
#[derive(Clone, Copy)]
pub struct TileInput<'a> {
    pub panel: WidePanel<'a>,
    /// `[blocks, tokens]`
    pub quants: &'a [QuantBlock],
    /// The same in 16 bits, or nothing.
    pub quants16: &'a [[i16; BLOCK]],
    /// `[blocks, tokens]`
    pub scales: &'a [f32],
    /// `[blocks, tokens, scales_per_block]`; empty if there are minimums.
    pub starts: &'a [i32],
    /// `[blocks, tokens, scales_per_block]`; empty if there are no minimums.
    pub sums: &'a [f32],
    pub tokens: usize,
    pub first: usize,
    /// [`LINES`], hidden from the compiler.
    ///
    /// LLVM on x86-64 and V8 reorder unrolled steps until the sums no longer fit into the registers;
    /// kernels that this would slow down take their number of steps from here.
    pub lines: usize,
}

/// What a kernel provides. Its vectors hold `LANES` rows.
///
/// # Safety
/// All methods need the instruction set of the implementor.
pub trait Kernel: TableLookup {
    /// i32 sums of some rows.
    type Int: Copy;
    /// f32 values of some rows.
    type Float: Copy;
    /// Rows in a vector.
    const LANES: usize;
    /// Tokens in a tile of weights with one scale in a block, and with two.
    const TOKENS: [usize; 2];
    /// Whether it wants weights as signed bytes, their offset taken off.
    const SIGNED: bool = false;
    /// Whether float sums are kept in memory from block to block, not in registers.
    const IN_MEMORY: bool;
    /// Lines of a block of weights.
    const LINES: usize = LINES;

    /// Integer sums over `STEPS` steps of R vectors of rows and N tokens.
    ///
    /// `weights` is the line of the first step and `row` the first row in it; `x` is the first
    /// token's block, whose inputs are multiplied from step `step` on; `steps` is `STEPS`, but hidden
    /// from the compiler; `starts` is the number that the first token's sums start from, the next
    /// token's `stride` further, or null.
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: BlockQuants,
        step_and_steps: (usize, usize),
        starts: *const i32,
        stride: usize,
    ) -> [[Self::Int; N]; R];

    unsafe fn float(value: Self::Int) -> Self::Float;
    unsafe fn load(at: *const f32) -> Self::Float;
    unsafe fn store(at: *mut f32, value: Self::Float);
    unsafe fn splat(at: *const f32) -> Self::Float;
    unsafe fn mul(a: Self::Float, b: Self::Float) -> Self::Float;
    unsafe fn add(a: Self::Float, b: Self::Float) -> Self::Float;

    /// [`WidenScratch::widen`], compiled for these instructions, in the form that `dots` reads.
    unsafe fn widen<'a>(
        scratch: &'a mut WidenScratch,
        matrix: &'a PackedMatrix,
        range: BlockRange,
    ) -> WidePanel<'a>;

    /// [`run_tile`] for the layout of the weights and as many tokens as `sums` has, compiled for
    /// these instructions.
    unsafe fn tile(matrix: &PackedMatrix, input: &TileInput<'_>, sums: &mut Sums);
}

/// The quants of the first token of a tile in one block, in both widths.
#[derive(Clone, Copy)]
pub struct BlockQuants {
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))]
    pub quants: *const QuantBlock,
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub quants16: *const [i16; BLOCK],
}

/// Multiplies one panel with all tokens: sums `[tokens, ROWS]`, overwritten.
///
/// # Safety
/// The processor has the instructions of `K`.
pub unsafe fn multiply<K: Kernel>(
    matrix: &PackedMatrix,
    panel: usize,
    x: &QuantizedActivations,
    terms: &OffsetTerms,
    scratch: &mut WidenScratch,
    sums: &mut Sums,
) {
    assert_eq!(sums.len(), x.tokens);
    sums.fill([0.0; ROWS]);
    let most = K::TOKENS[usize::from(matrix.layout.two_scales)];
    let tiles = x.tokens.div_ceil(most);
    for start in (0..matrix.blocks).step_by(RANGE) {
        let end = matrix.blocks.min(start + RANGE);
        let range = BlockRange { panel, start, end };
        // SAFETY: the caller's promise.
        let panel = unsafe { K::widen(scratch, matrix, range) };
        let mut input = TileInput::new(matrix, panel, x, terms, start..end);
        let mut rest = &mut *sums;
        // Tiles of about equal size: 13 tokens are 7 and 6, not 12 and 1.
        for left in (1..=tiles).rev() {
            // A part of the next range comes from memory while this tile is multiplied.
            matrix.prefetch_next(range, tiles - left, tiles);
            let count = rest.len().div_ceil(left);
            let (tile, others) = rest.split_at_mut(count);
            // SAFETY: the caller's promise.
            unsafe { K::tile(matrix, &input, tile) };
            input.first += count;
            rest = others;
        }
    }
}

impl<'a> TileInput<'a> {
    fn new(
        matrix: &PackedMatrix,
        panel: WidePanel<'a>,
        x: &'a QuantizedActivations,
        terms: &'a OffsetTerms,
        blocks: std::ops::Range<usize>,
    ) -> Self {
        assert_eq!(x.blocks, matrix.blocks);
        let parts = matrix.layout.scales_per_block();
        let range = blocks.start * x.tokens..blocks.end * x.tokens;
        let by_part = range.start * parts..range.end * parts;
        Self {
            panel,
            quants: &x.quants[range.clone()],
            quants16: if x.quants16.is_empty() { &[] } else { &x.quants16[range.clone()] },
            scales: &x.scales[range],
            starts: if matrix.layout.has_minimums { &[] } else { &terms.starts[by_part.clone()] },
            sums: if matrix.layout.has_minimums { &terms.sums[by_part] } else { &[] },
            tokens: x.tokens,
            first: 0,
            lines: std::hint::black_box(LINES),
        }
    }
}

/// Adds the products of a range to the sums of N tokens, R vectors of rows at a time.
///
/// In each block: sum + (dot · scale) · x_scale, then + minimum · x_sum; with two
/// scales, (dot₀ · scale₀ + dot₁ · scale₁) · x_scale.
///
/// # Safety
/// The processor has the instructions of `K`.
#[inline(always)]
pub unsafe fn run_tile<
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
    // A copy, whose fields need not be read again after sums are written.
    let input = *input;
    input.check::<K>(TWO_SCALES, MINIMUMS, N);
    assert!(sums.len() == N && ROWS.is_multiple_of(K::LANES * R));
    let parts = if TWO_SCALES { 2 } else { 1 };
    for row in (0..ROWS).step_by(K::LANES * R) {
        // SAFETY: block < blocks, first + n < tokens and row + R · LANES <= ROWS, so that all
        // pointers stay within the slices whose lengths have been checked; the instructions are
        // there by the caller's promise.
        unsafe {
            let out = |sums: &mut Sums, r: usize, n: usize| {
                sums[n].as_mut_ptr().add(row).add(r * K::LANES)
            };
            let mut totals: [[K::Float; N]; R] =
                array_from_fn(|r| array_from_fn(|n| K::load(out(sums, r, n))));
            for block in 0..input.panel.blocks {
                let token = block * input.tokens + input.first;
                let scaled = scaled::<K, BITS, TWO_SCALES, MINIMUMS, R, N>(input, block, row);
                for n in 0..N {
                    let x_scale = K::splat(input.scales.as_ptr().add(token).add(n));
                    for r in 0..R {
                        let sum =
                            if K::IN_MEMORY { K::load(out(sums, r, n)) } else { totals[r][n] };
                        let mut sum = K::add(sum, K::mul(scaled[r][n], x_scale));
                        if MINIMUMS {
                            for part in 0..parts {
                                let at =
                                    input.sums.as_ptr().add(token * parts).add(n * parts + part);
                                let minimum =
                                    rows::<K>(input.panel.minimums, block * parts, part, row, r);
                                sum = K::add(sum, K::mul(minimum, K::splat(at)));
                            }
                        }
                        if K::IN_MEMORY {
                            K::store(out(sums, r, n), sum);
                        } else {
                            totals[r][n] = sum;
                        }
                    }
                }
            }
            if !K::IN_MEMORY {
                for (r, n) in (0..R).flat_map(|r| (0..N).map(move |n| (r, n))) {
                    K::store(out(sums, r, n), totals[r][n]);
                }
            }
        }
    }
}

impl TileInput<'_> {
    /// Asserts all that the pointers of a tile of `count` tokens rely on.
    #[inline(always)]
    fn check<K: Kernel>(&self, two_scales: bool, minimums: bool, count: usize) {
        let blocks = self.panel.blocks;
        let parts = if two_scales { 2 } else { 1 };
        let all = blocks * self.tokens;
        assert!(self.first + count <= self.tokens);
        assert!(self.panel.weights.len() >= blocks * K::LINES);
        assert!(self.panel.scales.len() >= blocks * parts && self.scales.len() >= all);
        assert!(self.quants.len() >= all && (K::LINES == LINES || self.quants16.len() >= all));
        if minimums {
            assert!(self.panel.minimums.len() >= blocks * parts && self.sums.len() >= all * parts);
        } else {
            assert!(self.starts.len() >= all * parts);
        }
    }
}

/// Scales or minimums of the r-th vector of rows from `row` on.
///
/// # Safety
/// As [`run_tile`]; `first + part` is within `values`.
#[inline(always)]
unsafe fn rows<K: Kernel>(
    values: &[[f32; ROWS]],
    first: usize,
    part: usize,
    row: usize,
    r: usize,
) -> K::Float {
    // SAFETY: the caller's promise.
    unsafe {
        let values = values.as_ptr().add(first).add(part).cast::<f32>();
        K::load(values.add(row).add(r * K::LANES))
    }
}

/// A block's sums times the weights' scales.
///
/// # Safety
/// As [`dots`].
#[inline(always)]
unsafe fn scaled<
    K: Kernel,
    const BITS: usize,
    const TWO_SCALES: bool,
    const MINIMUMS: bool,
    const R: usize,
    const N: usize,
>(
    input: TileInput<'_>,
    block: usize,
    row: usize,
) -> [[K::Float; N]; R] {
    let parts = if TWO_SCALES { 2 } else { 1 };
    // SAFETY: the caller's promise.
    unsafe {
        let mut scaled = dots::<K, BITS, TWO_SCALES, MINIMUMS, R, N>(input, block, 0, row);
        for r in 0..R {
            let scale = rows::<K>(input.panel.scales, block * parts, 0, row, r);
            scaled[r] = array_from_fn(|n| K::mul(scaled[r][n], scale));
        }
        if TWO_SCALES {
            let dots = dots::<K, BITS, TWO_SCALES, MINIMUMS, R, N>(input, block, 1, row);
            for r in 0..R {
                let scale = rows::<K>(input.panel.scales, block * parts, 1, row, r);
                scaled[r] = array_from_fn(|n| K::add(scaled[r][n], K::mul(dots[r][n], scale)));
            }
        }
        scaled
    }
}

/// The integer sums of a block's part, as floats.
///
/// # Safety
/// As [`run_tile`], whose assertions have been made; `block` and `part` are in range.
#[inline(always)]
unsafe fn dots<
    K: Kernel,
    const BITS: usize,
    const TWO_SCALES: bool,
    const MINIMUMS: bool,
    const R: usize,
    const N: usize,
>(
    input: TileInput<'_>,
    block: usize,
    part: usize,
    row: usize,
) -> [[K::Float; N]; R] {
    let parts = if TWO_SCALES { 2 } else { 1 };
    let token = block * input.tokens + input.first;
    // SAFETY: within the slices, see `run_tile`; only kernels for which it is filled read `quants16`.
    unsafe {
        let weights = input.panel.weights.as_ptr().add(block * K::LINES).add(part * K::LINES / 2);
        let x = BlockQuants {
            quants: input.quants.as_ptr().add(token),
            quants16: input.quants16.as_ptr().wrapping_add(token),
        };
        let starts = if MINIMUMS {
            std::ptr::null()
        } else {
            input.starts.as_ptr().add(token * parts).add(part)
        };
        let dots: [[K::Int; N]; R] = if TWO_SCALES {
            let steps = (part * LINES / 2, input.lines / 2);
            K::dots::<BITS, { LINES / 2 }, R, N>(weights, row, x, steps, starts, parts)
        } else {
            K::dots::<BITS, LINES, R, N>(weights, row, x, (0, input.lines), starts, parts)
        };
        array_from_fn(|r| array_from_fn(|n| K::float(dots[r][n])))
    }
}

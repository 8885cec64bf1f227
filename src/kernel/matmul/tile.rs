//! The inner loops that all vector backends share: tiles of rows × tokens.
//!
//! A backend gives the integer sums of a block and the few float operations;
//! the order in which floats are scaled and added stands here alone.

#![allow(unsafe_code)]
// Rows and tokens index several arrays at once.
#![allow(clippy::needless_range_loop)]

use super::panel::{Panel, RUN, Run, Scratch};
use super::quantize::{Activations, Quants, Terms};
use super::{BLOCK, LINES, Line, Matrix, ROWS};
pub(super) use crate::kernel::lanes::each;

/// Sums of a panel: `[tokens, ROWS]`.
pub(super) type Sums = [[f32; ROWS]];

/// A panel's run and the activations of the same blocks, of tokens from `first` on.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub panel: Panel<'a>,
    /// `[blocks, tokens]`
    pub quants: &'a [Quants],
    pub wide: &'a [[i16; BLOCK]],
    pub scales: &'a [f32],
    /// `[blocks, tokens, parts]`: one of both, the other is empty.
    pub starts: &'a [i32],
    pub sums: &'a [f32],
    pub tokens: usize,
    pub first: usize,
    /// [`LINES`], hidden from the compiler.
    ///
    /// Unrolled, the steps are one long run of instructions, which LLVM on x86-64 and V8 reorder
    /// until the sums no longer fit into the registers; so kernels that suffer count to this.
    pub lines: usize,
}

/// What a backend provides. Its vectors hold `LANES` rows.
///
/// # Safety
/// All methods need the instruction set of the implementor.
pub(super) trait Kernel {
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
    /// `weights` is the first vector of the first step, `x` the first token's block,
    /// the inputs of interest from `step` on; `steps` is `STEPS`, but hidden from the compiler;
    /// `starts` the first token's, `stride` apart, or null.
    unsafe fn dots<const BITS: usize, const STEPS: usize, const R: usize, const N: usize>(
        weights: *const Line,
        row: usize,
        x: Block,
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

    /// [`Scratch::widen`], compiled for the backend, in the form that `dots` reads.
    unsafe fn widen<'a>(scratch: &'a mut Scratch, matrix: &'a Matrix, run: Run) -> Panel<'a>;

    /// [`run_tile`] for the form of the weights and as many tokens as `sums` has, compiled
    /// for the backend.
    unsafe fn tile(matrix: &Matrix, job: &Job<'_>, sums: &mut Sums);
}

/// The quants of the first token of a tile in one block, in both widths.
#[derive(Clone, Copy)]
pub(super) struct Block {
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))]
    pub quants: *const Quants,
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    pub wide: *const [i16; BLOCK],
}

/// Multiplies one panel with all tokens: sums `[tokens, ROWS]`, overwritten.
///
/// # Safety
/// The processor has the instructions of `K`.
pub(super) unsafe fn multiply<K: Kernel>(
    matrix: &Matrix,
    panel: usize,
    x: &Activations,
    terms: &Terms,
    scratch: &mut Scratch,
    sums: &mut Sums,
) {
    assert_eq!(sums.len(), x.tokens);
    sums.fill([0.0; ROWS]);
    let most = K::TOKENS[usize::from(matrix.form.halves)];
    let tiles = x.tokens.div_ceil(most);
    for start in (0..matrix.blocks).step_by(RUN) {
        let end = matrix.blocks.min(start + RUN);
        let run = Run { panel, start, end };
        // SAFETY: the caller's promise.
        let panel = unsafe { K::widen(scratch, matrix, run) };
        let mut job = Job::new(matrix, panel, x, terms, start..end);
        let mut rest = &mut *sums;
        // Tiles as even as can be: 13 tokens are 7 and 6, not 12 and 1.
        for left in (1..=tiles).rev() {
            // From memory while this is multiplied.
            matrix.fetch_behind(run, tiles - left, tiles);
            let count = rest.len().div_ceil(left);
            let (tile, others) = rest.split_at_mut(count);
            // SAFETY: the caller's promise.
            unsafe { K::tile(matrix, &job, tile) };
            job.first += count;
            rest = others;
        }
    }
}

impl<'a> Job<'a> {
    fn new(
        matrix: &Matrix,
        panel: Panel<'a>,
        x: &'a Activations,
        terms: &'a Terms,
        blocks: std::ops::Range<usize>,
    ) -> Self {
        assert_eq!(x.blocks, matrix.blocks);
        let parts = matrix.form.parts();
        let range = blocks.start * x.tokens..blocks.end * x.tokens;
        let by_part = range.start * parts..range.end * parts;
        Self {
            panel,
            quants: &x.quants[range.clone()],
            wide: if x.wide.is_empty() { &[] } else { &x.wide[range.clone()] },
            scales: &x.scales[range],
            starts: if matrix.form.minimums { &[] } else { &terms.starts[by_part.clone()] },
            sums: if matrix.form.minimums { &terms.sums[by_part] } else { &[] },
            tokens: x.tokens,
            first: 0,
            lines: std::hint::black_box(LINES),
        }
    }
}

/// Adds the products of a run to the sums of N tokens, R vectors of rows at a time.
///
/// In each block: sum + (dot · scale) · x_scale, then + minimum · x_sum; with two
/// scales, (dot₀ · scale₀ + dot₁ · scale₁) · x_scale.
///
/// # Safety
/// The processor has the instructions of `K`.
#[inline(always)]
pub(super) unsafe fn run_tile<
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
    // A copy, whose fields need not be read again after sums are written.
    let job = *job;
    job.check::<K>(HALVES, MINIMUMS, N);
    assert!(sums.len() == N && ROWS.is_multiple_of(K::LANES * R));
    let parts = if HALVES { 2 } else { 1 };
    for row in (0..ROWS).step_by(K::LANES * R) {
        // SAFETY: block < blocks, first + n < tokens and row + R · LANES <= ROWS, so that all
        // pointers stay within the slices whose lengths have been checked; the instructions are
        // there by the caller's promise.
        unsafe {
            let out = |sums: &mut Sums, r: usize, n: usize| {
                sums[n].as_mut_ptr().add(row).add(r * K::LANES)
            };
            let mut totals: [[K::Float; N]; R] = each(|r| each(|n| K::load(out(sums, r, n))));
            for block in 0..job.panel.blocks {
                let token = block * job.tokens + job.first;
                let scaled = scaled::<K, BITS, HALVES, MINIMUMS, R, N>(job, block, row);
                for n in 0..N {
                    let x_scale = K::splat(job.scales.as_ptr().add(token).add(n));
                    for r in 0..R {
                        let sum =
                            if K::IN_MEMORY { K::load(out(sums, r, n)) } else { totals[r][n] };
                        let mut sum = K::add(sum, K::mul(scaled[r][n], x_scale));
                        if MINIMUMS {
                            for part in 0..parts {
                                let at = job.sums.as_ptr().add(token * parts).add(n * parts + part);
                                let minimum =
                                    rows::<K>(job.panel.minimums, block * parts, part, row, r);
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

impl Job<'_> {
    /// Asserts all that the pointers of a tile of `count` tokens rely on.
    #[inline(always)]
    fn check<K: Kernel>(&self, halves: bool, minimums: bool, count: usize) {
        let blocks = self.panel.blocks;
        let parts = if halves { 2 } else { 1 };
        let all = blocks * self.tokens;
        assert!(self.first + count <= self.tokens);
        assert!(self.panel.weights.len() >= blocks * K::LINES);
        assert!(self.panel.scales.len() >= blocks * parts && self.scales.len() >= all);
        assert!(self.quants.len() >= all && (K::LINES == LINES || self.wide.len() >= all));
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
    const HALVES: bool,
    const MINIMUMS: bool,
    const R: usize,
    const N: usize,
>(
    job: Job<'_>,
    block: usize,
    row: usize,
) -> [[K::Float; N]; R] {
    let parts = if HALVES { 2 } else { 1 };
    // SAFETY: the caller's promise.
    unsafe {
        let mut scaled = dots::<K, BITS, HALVES, MINIMUMS, R, N>(job, block, 0, row);
        for r in 0..R {
            let scale = rows::<K>(job.panel.scales, block * parts, 0, row, r);
            scaled[r] = each(|n| K::mul(scaled[r][n], scale));
        }
        if HALVES {
            let dots = dots::<K, BITS, HALVES, MINIMUMS, R, N>(job, block, 1, row);
            for r in 0..R {
                let scale = rows::<K>(job.panel.scales, block * parts, 1, row, r);
                scaled[r] = each(|n| K::add(scaled[r][n], K::mul(dots[r][n], scale)));
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
    const HALVES: bool,
    const MINIMUMS: bool,
    const R: usize,
    const N: usize,
>(
    job: Job<'_>,
    block: usize,
    part: usize,
    row: usize,
) -> [[K::Float; N]; R] {
    let parts = if HALVES { 2 } else { 1 };
    let token = block * job.tokens + job.first;
    // SAFETY: within the slices, see `run_tile`; of `wide` only backends make use that fill it.
    unsafe {
        let weights = job.panel.weights.as_ptr().add(block * K::LINES).add(part * K::LINES / 2);
        let x = Block {
            quants: job.quants.as_ptr().add(token),
            wide: job.wide.as_ptr().wrapping_add(token),
        };
        let starts = if MINIMUMS {
            std::ptr::null()
        } else {
            job.starts.as_ptr().add(token * parts).add(part)
        };
        let dots: [[K::Int; N]; R] = if HALVES {
            let steps = (part * LINES / 2, job.lines / 2);
            K::dots::<BITS, { LINES / 2 }, R, N>(weights, row, x, steps, starts, parts)
        } else {
            K::dots::<BITS, LINES, R, N>(weights, row, x, (0, job.lines), starts, parts)
        };
        each(|r| each(|n| K::float(dots[r][n])))
    }
}

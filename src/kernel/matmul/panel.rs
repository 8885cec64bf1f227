//! Widens a run of a panel's blocks to what the inner loops read: bytes and f32 scales.
//!
//! It costs a few operations for each weight once for all tokens. Plain loops
//! over fixed sizes: compiled into a backend's function they become vector code.

use super::pack::{Form, Matrix};
use super::{LINES, Line, ROWS};

/// Blocks that are widened at once: their bytes stay in the first-level cache.
pub(super) const RUN: usize = 32;

/// Memory in which runs are widened; one for each thread.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[blocks, LINES]`
    pub(super) weights: Vec<Line>,
    /// `[blocks, parts]`
    pub(super) scales: Vec<[f32; ROWS]>,
    pub(super) minimums: Vec<[f32; ROWS]>,
    /// `[blocks, 2 · LINES]`, each line `[ROWS, 2]` of 16 bits.
    #[cfg(target_arch = "wasm32")]
    pub(super) wide: Vec<Line>,
}

/// Blocks `start..end` of a panel.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub panel: usize,
    pub start: usize,
    pub end: usize,
}

/// A widened run.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    pub blocks: usize,
    /// `[blocks, LINES]`, each line `[ROWS, STEP]` bytes
    pub weights: &'a [Line],
    /// `[blocks, parts]`
    pub scales: &'a [[f32; ROWS]],
    /// `[blocks, parts]`, or nothing
    pub minimums: &'a [[f32; ROWS]],
}

impl Scratch {
    /// Widens a run. `signed` takes the form's offset off the weights.
    #[inline(always)]
    pub(super) fn widen<'a>(&'a mut self, matrix: &'a Matrix, run: Run, signed: bool) -> Panel<'a> {
        let form = matrix.form;
        let blocks = run.end - run.start;
        self.widen_scales(matrix, run);
        let first = run.panel * matrix.blocks;
        let planes = &matrix.planes[(first + run.start) * form.bits..(first + run.end) * form.bits];
        let weights = if form.bits == 8 && !signed {
            planes
        } else {
            self.weights.resize((blocks * LINES).max(self.weights.len()), Line::ZERO);
            let weights = &mut self.weights[..blocks * LINES];
            let offset = if signed { form.offset } else { 0 };
            match form.bits {
                2 => widen_planes::<2>(planes, weights, offset),
                3 => widen_planes::<3>(planes, weights, offset),
                4 => widen_planes::<4>(planes, weights, offset),
                5 => widen_planes::<5>(planes, weights, offset),
                6 => widen_planes::<6>(planes, weights, offset),
                _ => widen_planes::<8>(planes, weights, offset),
            }
            weights
        };
        let parts = blocks * form.parts();
        let minimums = if form.minimums { &self.minimums[..parts] } else { &[] };
        Panel { blocks, weights, scales: &self.scales[..parts], minimums }
    }

    /// f16 scales, times their factors where there are any, to f32: exact.
    #[inline(always)]
    fn widen_scales(&mut self, matrix: &Matrix, run: Run) {
        let form = matrix.form;
        let rows = form.scale_rows();
        let groups = matrix.blocks / form.group;
        let first = run.panel * groups;
        let (start, end) = (run.start / form.group, run.end / form.group);
        let parts = (run.end - run.start) * form.parts();
        self.scales.resize(parts.max(self.scales.len()), [0.0; ROWS]);
        if form.minimums {
            self.minimums.resize(parts.max(self.minimums.len()), [0.0; ROWS]);
        }
        let packed = &matrix.scales[(first + start) * rows..(first + end) * rows];
        let per_group = form.group * form.parts();
        let scales = self.scales[..parts].chunks_exact_mut(per_group);
        if form.group == 1 {
            for (packed, scales) in packed.chunks_exact(rows).zip(scales) {
                scales[0] = halves(packed);
            }
            if form.minimums {
                for (packed, minimums) in packed.chunks_exact(rows).zip(&mut self.minimums) {
                    *minimums = halves(&packed[2..]);
                }
            }
            return;
        }
        for (group, (packed, scales)) in packed.chunks_exact(rows).zip(scales).enumerate() {
            if form.minimums {
                let minimums = &mut self.minimums[group * per_group..][..per_group];
                widen_minimums(form, packed, minimums);
            }
            let scale = halves(packed);
            let at = if form.minimums { 4 } else { 2 };
            let mask = if form.bits == 2 { 15 } else { 255 };
            for (scales, factors) in scales.iter_mut().zip(&packed[at..]) {
                for row in 0..ROWS {
                    scales[row] = scale[row] * f32::from((factors[row] & mask) as i8);
                }
            }
        }
    }
}

/// The minimums of a K type's group, which it takes off: −minimum · factor.
#[inline(always)]
fn widen_minimums(form: Form, packed: &[[u8; ROWS]], minimums: &mut [[f32; ROWS]]) {
    let minimum = halves(&packed[2..]);
    let (at, shift) = if form.bits == 2 { (4, 4) } else { (4 + minimums.len(), 0) };
    for (minimums, factors) in minimums.iter_mut().zip(&packed[at..]) {
        for row in 0..ROWS {
            minimums[row] = -(minimum[row] * f32::from(factors[row] >> shift));
        }
    }
}

/// Two rows of bytes as 16 f16, widened.
#[inline(always)]
fn halves(rows: &[[u8; ROWS]]) -> [f32; ROWS] {
    let mut widened = [0.0; ROWS];
    for (value, bytes) in widened.iter_mut().zip(rows.as_flattened().as_chunks().0) {
        *value = half(u16::from_le_bytes(*bytes));
    }
    widened
}

/// f16 to f32 without branches, so that loops over it become vector code.
#[inline(always)]
pub(super) fn half(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff);
    // The exponent's bias is 112 less than f32's; subnormals come out right too.
    let value = f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000);
    let infinite = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(value.to_bits() | infinite | u32::from(bits & 0x8000) << 16)
}

/// Puts the planes of each block together again.
#[inline(always)]
fn widen_planes<const BITS: usize>(planes: &[Line], weights: &mut [Line], offset: u8) {
    for (planes, weights) in planes.as_chunks::<BITS>().0.iter().zip(weights.as_chunks_mut().0) {
        widen_block(planes, weights, offset);
    }
}

#[inline(always)]
fn widen_block<const BITS: usize>(planes: &[Line; BITS], weights: &mut [Line; LINES], offset: u8) {
    for (step, line) in weights.iter_mut().enumerate() {
        for i in 0..line.0.len() {
            let mut value = 0;
            if BITS & 8 != 0 {
                value = planes[step].0[i];
            }
            if BITS & 4 != 0 {
                value = planes[step / 2].0[i] >> (step % 2 * 4) & 15;
            }
            if BITS & 2 != 0 {
                let pair = planes[(BITS & 4) + step / 4].0[i] >> (step % 4 * 2) & 3;
                value |= pair << (BITS & 4);
            }
            if BITS & 1 != 0 {
                value |= (planes[BITS - 1].0[i] >> step & 1) << (BITS - 1);
            }
            line.0[i] = value.wrapping_sub(offset);
        }
    }
}

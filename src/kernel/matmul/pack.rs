//! Weight matrices, repacked from a file's blocks into panels of interleaved rows.
//!
//! A value's bits are split into planes of 4, 2 and 1 bits (or one of 8), so
//! that no type grows: Q5 is a plane of 4 bits and one of 1. In a block of a
//! panel, a plane of w bits is w lines; a line's byte holds 8/w steps.
//! Scales stay in the file's form: f16, with small integers by sub-block in K types.

use super::blocks::{Decoded, MOST_BLOCKS};
use super::panel::Run;
use super::{BLOCK, LINES, Line, ROWS, STEP};
use crate::gguf::TensorType;
use crate::kernel::backend::{Backend, Work};
use crate::kernel::cache::prefetch;
use crate::kernel::lanes::Lanes;
use crate::kernel::threads::for_each_pair_of_chunks;

/// How a quantized type is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Bits of a value: lines in a block of a panel.
    pub bits: usize,
    /// What is taken from a value before it is scaled; 0 if there are minimums.
    pub offset: u8,
    /// Whether each 16 inputs have a scale of their own.
    pub halves: bool,
    /// Whether values start at a minimum.
    pub minimums: bool,
    /// Blocks of 32 in a block of the file; more than one in K types, which have factors.
    pub group: usize,
}

impl Form {
    /// The form of a quantized type; none for floats.
    pub fn new(kind: TensorType) -> Option<Self> {
        let simple =
            |bits, offset, minimums| Self { bits, offset, halves: false, minimums, group: 1 };
        let nested =
            |bits, offset, halves, minimums| Self { bits, offset, halves, minimums, group: 8 };
        Some(match kind {
            TensorType::Q4_0 => simple(4, 8, false),
            TensorType::Q4_1 => simple(4, 0, true),
            TensorType::Q5_0 => simple(5, 16, false),
            TensorType::Q5_1 => simple(5, 0, true),
            TensorType::Q8_0 => simple(8, 128, false),
            TensorType::Q2K => nested(2, 0, true, true),
            TensorType::Q3K => nested(3, 4, true, false),
            TensorType::Q4K => nested(4, 0, false, true),
            TensorType::Q5K => nested(5, 0, false, true),
            TensorType::Q6K => nested(6, 32, true, false),
            _ => return None,
        })
    }

    /// Scales in a block of 32 inputs.
    pub fn parts(self) -> usize {
        if self.halves { 2 } else { 1 }
    }

    /// Rows of 16 bytes that the scales of a group take in a panel.
    pub fn scale_rows(self) -> usize {
        let subs = if self.group > 1 { self.group * self.parts() } else { 0 };
        match (self.minimums, self.bits) {
            (true, 2) => 4 + subs, // Q2_K: both factors in one byte
            (true, _) => 4 + 2 * subs,
            (false, _) => 2 + subs,
        }
    }
}

/// The rows of one panel, as many as there are.
struct PackPanel<'a> {
    kind: TensorType,
    form: Form,
    /// `[rows, row_bytes]`
    raw: &'a [u8],
    row_bytes: usize,
    /// `[blocks, bits]`
    planes: &'a mut [Line],
    /// `[groups, scale_rows]`
    scales: &'a mut [[u8; ROWS]],
}

impl Work for PackPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { kind, form, raw, row_bytes, planes, scales } = self;
        let groups = planes.chunks_exact_mut(form.group * form.bits);
        let groups = groups.zip(scales.chunks_exact_mut(form.scale_rows()));
        for (group, (planes, scales)) in groups.enumerate() {
            let mut quants = [[[0; BLOCK]; ROWS]; MOST_BLOCKS];
            for (row, raw) in raw.chunks_exact(row_bytes).enumerate() {
                let size = kind.block_bytes();
                let block = Decoded::new(kind, &raw[group * size..][..size]);
                for (quants, block) in quants.iter_mut().zip(&block.quants[..form.group]) {
                    quants[row] = *block;
                }
                form.insert_scales(row, &block, scales);
            }
            for (quants, planes) in quants.iter().zip(planes.chunks_exact_mut(form.bits)) {
                match form.bits {
                    2 => split_planes::<2>(quants, planes),
                    3 => split_planes::<3>(quants, planes),
                    4 => split_planes::<4>(quants, planes),
                    5 => split_planes::<5>(quants, planes),
                    6 => split_planes::<6>(quants, planes),
                    _ => split_planes::<8>(quants, planes),
                }
            }
        }
    }
}

impl Form {
    /// Puts a row's scales of one group to their place in `[scale_rows]`.
    #[inline(always)]
    fn insert_scales(self, row: usize, block: &Decoded, scales: &mut [[u8; ROWS]]) {
        insert_half(scales, row, block.scale);
        let mut at = 2;
        if self.minimums {
            insert_half(&mut scales[2..], row, block.minimum);
            at = 4;
        }
        let subs = if self.group > 1 { self.group * self.parts() } else { 0 };
        for sub in 0..subs {
            let (factor, lower) = (block.factors[sub] as u8, block.lowers[sub]);
            if self.bits == 2 {
                scales[at + sub][row] = factor | lower << 4;
            } else {
                scales[at + sub][row] = factor;
                if self.minimums {
                    scales[at + subs + sub][row] = lower;
                }
            }
        }
    }
}

/// A quantized weight matrix `[outputs, inputs]` in panels.
#[derive(Debug)]
pub struct Matrix {
    pub(super) form: Form,
    pub(super) outputs: usize,
    /// Blocks of 32 inputs in a row.
    pub(super) blocks: usize,
    /// `[panels, blocks, bits]`
    pub(super) planes: Vec<Line>,
    /// `[panels, groups, scale_rows]`: by group f16 scales, f16 minimums, factors of both.
    pub(super) scales: Vec<[u8; ROWS]>,
}

impl Matrix {
    /// Repacks the blocks of a matrix `[outputs, inputs]`; none if `kind` is a float type.
    ///
    /// # Panics
    /// If `raw` has another length, or rows are not whole blocks.
    pub fn pack(
        backend: Backend,
        kind: TensorType,
        raw: &[u8],
        outputs: usize,
        inputs: usize,
    ) -> Option<Self> {
        let form = Form::new(kind)?;
        assert_eq!(inputs % kind.block_size(), 0);
        let row_bytes = inputs / kind.block_size() * kind.block_bytes();
        assert_eq!(raw.len(), outputs * row_bytes);
        let (panels, blocks) = (outputs.div_ceil(ROWS), inputs / BLOCK);
        let (lines, rows) = (blocks * form.bits, blocks / form.group * form.scale_rows());
        let mut planes = vec![Line::ZERO; panels * lines];
        let mut scales = vec![[0; ROWS]; panels * rows];
        let pairs = (&mut planes[..], &mut scales[..]);
        for_each_pair_of_chunks(pairs, (lines, rows), |panel, planes, scales| {
            let raw = &raw[panel * ROWS * row_bytes..];
            let raw = &raw[..raw.len().min(ROWS * row_bytes)];
            backend.run(PackPanel { kind, form, raw, row_bytes, planes, scales });
        });
        Some(Self { form, outputs, blocks, planes, scales })
    }

    /// Asks for one of the equal `parts` of what lies behind a run, as much as it: what is
    /// multiplied next, if the thread goes on in order.
    #[inline(always)]
    pub(super) fn fetch_behind(&self, run: Run, part: usize, parts: usize) {
        let first = run.panel * self.blocks;
        let share = |size: usize| {
            let [start, end] = [run.start, run.end].map(|block| (first + block) * size);
            let length = end - start;
            end + length * part / parts..end + length * (part + 1) / parts
        };
        let share_of_scales = share(self.form.scale_rows());
        let group = self.form.group;
        let scales = share_of_scales.start / group..share_of_scales.end.div_ceil(group);
        let lines = self.planes.get(share(self.form.bits)).unwrap_or_default();
        let scales = self.scales.get(scales).unwrap_or_default();
        lines.iter().for_each(|line| prefetch(line));
        scales.iter().step_by(size_of::<Line>() / ROWS).for_each(|row| prefetch(row));
    }

    /// Inputs of a row.
    pub fn inputs(&self) -> usize {
        self.blocks * BLOCK
    }

    /// Rows.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes that it takes in memory.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        size_of_val(&self.planes[..]) + size_of_val(&self.scales[..])
    }
}

/// Row `row` of two rows of bytes taken as 16 f16.
fn insert_half(rows: &mut [[u8; ROWS]], row: usize, value: u16) {
    rows.as_flattened_mut()[2 * row..2 * row + 2].copy_from_slice(&value.to_le_bytes());
}

/// Splits the values of a block of all rows over the planes; `panel::widen_block` puts them together.
#[inline(always)]
fn split_planes<const BITS: usize>(quants: &[[u8; BLOCK]; ROWS], planes: &mut [Line]) {
    for step in 0..LINES {
        let mut line = Line::ZERO;
        for (line, quants) in line.0.as_chunks_mut::<STEP>().0.iter_mut().zip(quants) {
            *line = quants.as_chunks::<STEP>().0[step];
        }
        for i in 0..line.0.len() {
            let value = line.0[i];
            if BITS & 8 != 0 {
                planes[step].0[i] = value;
            }
            if BITS & 4 != 0 {
                planes[step / 2].0[i] |= (value & 15) << (step % 2 * 4);
            }
            if BITS & 2 != 0 {
                let pair = value >> (BITS & 4) & 3;
                planes[(BITS & 4) + step / 4].0[i] |= pair << (step % 4 * 2);
            }
            if BITS & 1 != 0 {
                planes[BITS - 1].0[i] |= (value >> (BITS - 1) & 1) << step;
            }
        }
    }
}

//! Weight matrices, repacked from a file's blocks into panels of interleaved rows.
//!
//! A value's bits are split into planes of 4, 2 and 1 bits (or one of 8), so
//! that no type grows: Q5 is a plane of 4 bits and one of 1. In a block of a
//! panel, a plane of w bits is w lines; a line's byte holds 8/w steps.
//! Scales stay as the file has them: f16, with small integers by sub-block in types of 256.

use super::decode::{DecodedBlock, MAX_BLOCKS};
use super::dimensions::{BLOCK, LINES, Line, ROWS, STEP};
use super::quant_layout::QuantLayout;
use crate::gguf::TensorType;
use crate::kernel::isa::{Isa, SimdTask};
use crate::kernel::lanes::Lanes;
use crate::kernel::prefetch::prefetch;
use crate::kernel::threads::for_each_pair_of_chunks;

/// Packs the rows of one panel, as many as there are.
struct PackPanelTask<'a> {
    dtype: TensorType,
    layout: QuantLayout,
    /// `[rows, row_bytes]`
    raw: &'a [u8],
    row_bytes: usize,
    /// `[blocks, bits]`
    planes: &'a mut [Line],
    /// `[superblocks, scale_rows]`
    scales: &'a mut [[u8; ROWS]],
}

impl SimdTask for PackPanelTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { dtype, layout, raw, row_bytes, planes, scales } = self;
        let size = dtype.block_bytes();
        let superblocks = planes.chunks_exact_mut(layout.superblock * layout.bits);
        let superblocks = superblocks.zip(scales.chunks_exact_mut(layout.scale_rows()));
        for (index, (planes, scales)) in superblocks.enumerate() {
            let mut quants = [[[0; BLOCK]; ROWS]; MAX_BLOCKS];
            for (row, raw) in raw.chunks_exact(row_bytes).enumerate() {
                let block = DecodedBlock::new(dtype, &raw[index * size..][..size]);
                for (quants, block) in quants.iter_mut().zip(&block.quants[..layout.superblock]) {
                    quants[row] = *block;
                }
                insert_scales(layout, row, &block, scales);
            }
            for (quants, planes) in quants.iter().zip(planes.chunks_exact_mut(layout.bits)) {
                split_block(layout.bits, quants, planes);
            }
        }
    }
}

/// Writes a row's scales of one superblock to their places in `[scale_rows]`.
#[inline(always)]
fn insert_scales(layout: QuantLayout, row: usize, block: &DecodedBlock, rows: &mut [[u8; ROWS]]) {
    insert_half(rows, row, block.scale);
    if layout.has_minimums {
        insert_half(&mut rows[2..], row, block.minimum);
    }
    let (first, sub_blocks) = (layout.first_sub_row(), layout.sub_blocks());
    for sub in 0..sub_blocks {
        let (scale, minimum) = (block.sub_scales[sub] as u8, block.sub_minimums[sub]);
        if layout.shares_bytes() {
            rows[first + sub][row] = scale | minimum << 4;
        } else {
            rows[first + sub][row] = scale;
            if layout.has_minimums {
                rows[first + sub_blocks + sub][row] = minimum;
            }
        }
    }
}

/// A quantized weight matrix `[outputs, inputs]` in panels.
#[derive(Debug)]
pub struct PackedMatrix {
    /// How its values are held.
    pub layout: QuantLayout,
    /// Rows.
    pub outputs: usize,
    /// Blocks of 32 inputs in a row.
    pub blocks: usize,
    /// `[panels, blocks, bits]`
    pub planes: Vec<Line>,
    /// `[panels, superblocks, scale_rows]`: of each superblock f16 scales, f16 minimums, then the
    /// integers by sub-block for both.
    pub scales: Vec<[u8; ROWS]>,
}

/// Blocks `start..end` of a panel.
#[derive(Clone, Copy)]
pub struct BlockRange {
    /// Index of the panel.
    pub panel: usize,
    /// First block.
    pub start: usize,
    /// The block behind the last.
    pub end: usize,
}

impl PackedMatrix {
    /// Repacks the blocks of a matrix `[outputs, inputs]`; none if `dtype` is a float type.
    ///
    /// # Panics
    /// If `raw` has another length, or rows are not whole blocks.
    pub fn pack(
        isa: Isa,
        dtype: TensorType,
        raw: &[u8],
        outputs: usize,
        inputs: usize,
    ) -> Option<Self> {
        let layout = QuantLayout::new(dtype)?;
        assert_eq!(inputs % dtype.block_size(), 0);
        let row_bytes = inputs / dtype.block_size() * dtype.block_bytes();
        assert_eq!(raw.len(), outputs * row_bytes);
        let (panels, blocks) = (outputs.div_ceil(ROWS), inputs / BLOCK);
        let (lines, rows) =
            (blocks * layout.bits, blocks / layout.superblock * layout.scale_rows());
        let mut planes = vec![Line::ZERO; panels * lines];
        let mut scales = vec![[0; ROWS]; panels * rows];
        let pairs = (&mut planes[..], &mut scales[..]);
        for_each_pair_of_chunks(pairs, (lines, rows), |panel, planes, scales| {
            let raw = &raw[panel * ROWS * row_bytes..];
            let raw = &raw[..raw.len().min(ROWS * row_bytes)];
            isa.run(PackPanelTask { dtype, layout, raw, row_bytes, planes, scales });
        });
        Some(Self { layout, outputs, blocks, planes, scales })
    }

    /// Prefetches one of the `parts` equal parts of what follows a range and is as long: what this
    /// thread multiplies next, if it goes on in order.
    #[inline(always)]
    pub fn prefetch_next(&self, range: BlockRange, part: usize, parts: usize) {
        let first = range.panel * self.blocks;
        let share = |size: usize| {
            let [start, end] = [range.start, range.end].map(|block| (first + block) * size);
            let length = end - start;
            end + length * part / parts..end + length * (part + 1) / parts
        };
        let rows = share(self.layout.scale_rows());
        let superblock = self.layout.superblock;
        let rows = rows.start / superblock..rows.end.div_ceil(superblock);
        let lines = self.planes.get(share(self.layout.bits)).unwrap_or_default();
        let scales = self.scales.get(rows).unwrap_or_default();
        lines.iter().for_each(|line| prefetch(line));
        scales.iter().step_by(size_of::<Line>() / ROWS).for_each(|row| prefetch(row));
    }

    /// Inputs of a row.
    pub fn inputs(&self) -> usize {
        self.blocks * BLOCK
    }

    /// Bytes that it takes in memory.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        size_of_val(&self.planes[..]) + size_of_val(&self.scales[..])
    }
}

/// Writes the f16 of one row into two rows of bytes, which hold 16 f16.
fn insert_half(rows: &mut [[u8; ROWS]], row: usize, value: u16) {
    rows.as_flattened_mut()[2 * row..2 * row + 2].copy_from_slice(&value.to_le_bytes());
}

/// Splits the values of a block of all rows into planes; `widen::join_planes` puts them together.
#[inline(always)]
fn split_block(bits: usize, quants: &[[u8; BLOCK]; ROWS], planes: &mut [Line]) {
    match bits {
        2 => split_planes::<2>(quants, planes),
        3 => split_planes::<3>(quants, planes),
        4 => split_planes::<4>(quants, planes),
        5 => split_planes::<5>(quants, planes),
        6 => split_planes::<6>(quants, planes),
        _ => split_planes::<8>(quants, planes),
    }
}

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

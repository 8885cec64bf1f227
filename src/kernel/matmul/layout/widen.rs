//! Widens a range of a panel's blocks to what the inner loops read: bytes and f32 scales.
//!
//! It costs a few operations for each weight, once for all tokens. Plain loops over fixed sizes, which
//! become vector code when they are compiled into a function of an instruction set; only the lookup of
//! IQ4's weights, which the compiler does not turn into vector code, is given by the caller.

use super::dimensions::{LINES, Line, ROWS};
use super::pack::{BlockRange, PackedMatrix};
use super::quant_layout::{IQ4_TABLE, QuantLayout};
use crate::gguf::f16_to_f32;

/// Blocks that are widened at once: their bytes stay in the first-level cache.
pub const RANGE: usize = 32;

/// Memory into which ranges are widened; one for each thread.
#[derive(Debug, Default)]
pub struct WidenScratch {
    /// `[blocks, LINES]`
    weights: Vec<Line>,
    /// `[blocks, scales_per_block]`
    scales: Vec<[f32; ROWS]>,
    /// `[blocks, scales_per_block]`
    minimums: Vec<[f32; ROWS]>,
    /// `[blocks, 2 · LINES]`, each line `[ROWS, 2]` of 16 bits; of the kernel of simd128.
    #[cfg(target_arch = "wasm32")]
    weights16: Vec<Line>,
}

/// A widened range of a panel.
#[derive(Clone, Copy)]
pub struct WidePanel<'a> {
    /// Blocks of 32 inputs.
    pub blocks: usize,
    /// `[blocks, LINES]`, each line `[ROWS, STEP]` bytes
    pub weights: &'a [Line],
    /// `[blocks, scales_per_block]`
    pub scales: &'a [[f32; ROWS]],
    /// `[blocks, scales_per_block]`, or nothing
    pub minimums: &'a [[f32; ROWS]],
}

/// Looks bytes up in a table of 16: the instruction set's own way.
pub trait TableLookup {
    /// Replaces each index below 16 by the table's entry.
    ///
    /// # Safety
    /// The processor has the instructions of the implementor.
    #[allow(unsafe_code)]
    unsafe fn look_up(table: &[u8; 16], line: &mut Line);
}

impl WidenScratch {
    /// Widens a range. `signed` takes the layout's offset off the weights.
    ///
    /// # Safety
    /// The processor has the instructions of `T`.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub unsafe fn widen<'a, T: TableLookup>(
        &'a mut self,
        matrix: &'a PackedMatrix,
        range: BlockRange,
        signed: bool,
    ) -> WidePanel<'a> {
        let layout = matrix.layout;
        let blocks = range.end - range.start;
        self.widen_scales(matrix, range);
        let first = range.panel * matrix.blocks;
        let planes = (first + range.start) * layout.bits..(first + range.end) * layout.bits;
        let planes = &matrix.planes[planes];
        let weights = if layout.bits == 8 && !signed {
            planes
        } else {
            self.weights.resize((blocks * LINES).max(self.weights.len()), Line::ZERO);
            let weights = &mut self.weights[..blocks * LINES];
            if layout.is_table {
                // SAFETY: the caller's promise.
                unsafe { look_up_weights::<T>(planes, weights, signed) };
            } else {
                widen_weights(layout, planes, weights, signed);
            }
            weights
        };
        let scales = blocks * layout.scales_per_block();
        let minimums = if layout.has_minimums { &self.minimums[..scales] } else { &[] };
        WidePanel { blocks, weights, scales: &self.scales[..scales], minimums }
    }

    /// [`Self::widen`] to signed weights of 16 bits: a line `[ROWS, 4]` of bytes becomes two lines
    /// `[ROWS, 2]` by `widen_line`.
    ///
    /// # Safety
    /// As [`Self::widen`].
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    #[inline(always)]
    #[allow(unsafe_code)]
    pub unsafe fn widen_to_16_bits<'a, T: TableLookup>(
        &'a mut self,
        matrix: &'a PackedMatrix,
        range: BlockRange,
        widen_line: impl Fn(&Line, &mut [Line; 2]),
    ) -> WidePanel<'a> {
        let mut weights16 = std::mem::take(&mut self.weights16);
        // SAFETY: the caller's promise.
        let panel = unsafe { self.widen::<T>(matrix, range, true) };
        let blocks = panel.blocks;
        weights16.resize(weights16.len().max(2 * panel.weights.len()), Line::ZERO);
        for (bytes, wide) in panel.weights.iter().zip(weights16.as_chunks_mut().0) {
            widen_line(bytes, wide);
        }
        self.weights16 = weights16;
        let scales = blocks * matrix.layout.scales_per_block();
        let minimums = if matrix.layout.has_minimums { &self.minimums[..scales] } else { &[] };
        WidePanel { blocks, weights: &self.weights16, scales: &self.scales[..scales], minimums }
    }

    /// f16 scales, times the sub-blocks' integers where there are any, to f32: exact.
    #[inline(always)]
    fn widen_scales(&mut self, matrix: &PackedMatrix, range: BlockRange) {
        let layout = matrix.layout;
        let rows = layout.scale_rows();
        let first = range.panel * (matrix.blocks / layout.superblock);
        let (start, end) = (range.start / layout.superblock, range.end / layout.superblock);
        let count = (range.end - range.start) * layout.scales_per_block();
        self.scales.resize(count.max(self.scales.len()), [0.0; ROWS]);
        if layout.has_minimums {
            self.minimums.resize(count.max(self.minimums.len()), [0.0; ROWS]);
        }
        let packed = &matrix.scales[(first + start) * rows..(first + end) * rows];
        if layout.superblock == 1 {
            self.widen_plain_scales(layout, packed, count);
        } else {
            self.widen_sub_scales(layout, packed, count);
        }
    }

    /// Of types of 32 values.
    #[inline(always)]
    fn widen_plain_scales(&mut self, layout: QuantLayout, packed: &[[u8; ROWS]], count: usize) {
        let rows = layout.scale_rows();
        for (packed, scales) in packed.chunks_exact(rows).zip(&mut self.scales[..count]) {
            *scales = halves(packed);
        }
        if layout.has_minimums {
            for (packed, minimums) in packed.chunks_exact(rows).zip(&mut self.minimums) {
                *minimums = halves(&packed[2..]);
            }
        }
    }

    /// Of types of 256 values.
    #[inline(always)]
    fn widen_sub_scales(&mut self, layout: QuantLayout, packed: &[[u8; ROWS]], count: usize) {
        let sub_blocks = layout.sub_blocks();
        let first = layout.first_sub_row();
        let mask = if layout.shares_bytes() { 15 } else { 255 };
        let scales = self.scales[..count].chunks_exact_mut(sub_blocks);
        let superblocks = packed.chunks_exact(layout.scale_rows()).zip(scales);
        for (index, (packed, scales)) in superblocks.enumerate() {
            if layout.has_minimums {
                let minimums = &mut self.minimums[index * sub_blocks..][..sub_blocks];
                widen_sub_minimums(layout, packed, minimums);
            }
            let scale = halves(packed);
            for (scales, sub_scales) in scales.iter_mut().zip(&packed[first..]) {
                for row in 0..ROWS {
                    scales[row] = scale[row] * f32::from((sub_scales[row] & mask) as i8);
                }
            }
        }
    }
}

/// The minimums of a superblock, which the format subtracts: −minimum · sub_minimum.
#[inline(always)]
fn widen_sub_minimums(layout: QuantLayout, packed: &[[u8; ROWS]], minimums: &mut [[f32; ROWS]]) {
    let minimum = halves(&packed[2..]);
    let first = layout.first_sub_row();
    let (first, shift) =
        if layout.shares_bytes() { (first, 4) } else { (first + minimums.len(), 0) };
    for (minimums, sub_minimums) in minimums.iter_mut().zip(&packed[first..]) {
        for row in 0..ROWS {
            minimums[row] = -(minimum[row] * f32::from(sub_minimums[row] >> shift));
        }
    }
}

/// Two rows of bytes, taken as 16 f16, as f32.
#[inline(always)]
fn halves(rows: &[[u8; ROWS]]) -> [f32; ROWS] {
    let mut widened = [0.0; ROWS];
    for (value, bytes) in widened.iter_mut().zip(rows.as_flattened().as_chunks().0) {
        *value = f16_to_f32(u16::from_le_bytes(*bytes));
    }
    widened
}

/// Weights that are stored as they are.
#[inline(always)]
fn widen_weights(layout: QuantLayout, planes: &[Line], weights: &mut [Line], signed: bool) {
    let offset = if signed { layout.offset } else { 0 };
    match layout.bits {
        2 => join_planes::<2>(planes, weights, offset),
        3 => join_planes::<3>(planes, weights, offset),
        4 => join_planes::<4>(planes, weights, offset),
        5 => join_planes::<5>(planes, weights, offset),
        6 => join_planes::<6>(planes, weights, offset),
        _ => join_planes::<8>(planes, weights, offset),
    }
}

/// Weights that are stored as indices of 4 bits into the table of IQ4.
///
/// # Safety
/// The processor has the instructions of `T`.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn look_up_weights<T: TableLookup>(planes: &[Line], weights: &mut [Line], signed: bool) {
    // The offset of 128 is one bit.
    let sign = if signed { 0x80 } else { 0 };
    let table = IQ4_TABLE.map(|weight| weight ^ sign);
    join_planes::<4>(planes, weights, 0);
    for line in weights {
        // SAFETY: the caller's promise.
        unsafe { T::look_up(&table, line) };
    }
}

/// Puts the planes of each block together again, less `offset`.
#[inline(always)]
fn join_planes<const BITS: usize>(planes: &[Line], weights: &mut [Line], offset: u8) {
    for (planes, weights) in planes.as_chunks::<BITS>().0.iter().zip(weights.as_chunks_mut().0) {
        join_block(planes, weights, offset);
    }
}

#[inline(always)]
fn join_block<const BITS: usize>(planes: &[Line; BITS], weights: &mut [Line; LINES], offset: u8) {
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

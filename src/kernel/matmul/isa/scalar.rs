//! The reference: plain loops for any machine, in the order of float operations that all kernels keep.

use crate::kernel::matmul::activations::{OffsetTerms, QuantizedActivations};
use crate::kernel::matmul::layout::{
    BLOCK, BlockRange, LINES, Line, PackedMatrix, RANGE, ROWS, STEP, TableLookup, WidePanel,
    WidenScratch,
};

/// The lookup of plain loops.
struct PlainLookup;

#[allow(unsafe_code)]
impl TableLookup for PlainLookup {
    #[inline(always)]
    unsafe fn look_up(table: &[u8; 16], line: &mut Line) {
        line.0 = line.0.map(|index| table[usize::from(index & 15)]);
    }
}

/// Multiplies one panel with all tokens: sums `[tokens, ROWS]`, overwritten.
pub fn multiply(
    matrix: &PackedMatrix,
    panel: usize,
    x: &QuantizedActivations,
    terms: &OffsetTerms,
    scratch: &mut WidenScratch,
    sums: &mut [[f32; ROWS]],
) {
    assert_eq!((x.blocks, x.tokens), (matrix.blocks, sums.len()));
    sums.fill([0.0; ROWS]);
    for start in (0..matrix.blocks).step_by(RANGE) {
        let range = BlockRange { panel, start, end: matrix.blocks.min(start + RANGE) };
        // SAFETY: plain loops run everywhere.
        #[allow(unsafe_code)]
        let panel = unsafe { scratch.widen::<PlainLookup>(matrix, range, true) };
        for block in 0..panel.blocks {
            for (token, sums) in sums.iter_mut().enumerate() {
                let at = (start + block) * x.tokens + token;
                for (row, sum) in sums.iter_mut().enumerate() {
                    let scaled = scaled_dot(matrix, &panel, block, row, &x.quants[at].0);
                    *sum += scaled * x.scales[at];
                    if matrix.layout.has_minimums {
                        let count = matrix.layout.scales_per_block();
                        for part in 0..count {
                            let minimum = panel.minimums[block * count + part][row];
                            *sum += minimum * terms.sums[at * count + part];
                        }
                    }
                }
            }
        }
    }
}

/// The dot product of a block of a row with activations, times the weights' scales.
fn scaled_dot(
    matrix: &PackedMatrix,
    panel: &WidePanel<'_>,
    block: usize,
    row: usize,
    quants: &[i8; BLOCK],
) -> f32 {
    let parts = matrix.layout.scales_per_block();
    let lines = &panel.weights[block * LINES..][..LINES];
    let part = |part: usize| -> f32 {
        let inputs = part * BLOCK / parts..(part + 1) * BLOCK / parts;
        let weight = |i: usize| lines[i / STEP].0[row * STEP + i % STEP] as i8;
        let products = inputs.map(|i| i32::from(weight(i)) * i32::from(quants[i]));
        products.sum::<i32>() as f32 * panel.scales[block * parts + part][row]
    };
    if parts == 2 { part(0) + part(1) } else { part(0) }
}

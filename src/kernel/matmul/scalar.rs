//! The reference: plain loops on any machine, in the order that all backends keep.

use super::panel::{RUN, Run, Scratch};
use super::quantize::{Activations, Terms};
use super::{BLOCK, Matrix, ROWS, STEP};

/// Multiplies one panel with all tokens: sums `[tokens, ROWS]`, overwritten.
pub(super) fn multiply(
    matrix: &Matrix,
    panel: usize,
    x: &Activations,
    terms: &Terms,
    scratch: &mut Scratch,
    sums: &mut [[f32; ROWS]],
) {
    assert_eq!((x.blocks, x.tokens), (matrix.blocks, sums.len()));
    sums.fill([0.0; ROWS]);
    let parts = matrix.form.parts();
    for start in (0..matrix.blocks).step_by(RUN) {
        let end = matrix.blocks.min(start + RUN);
        let panel = scratch.widen(matrix, Run { panel, start, end }, true);
        for block in 0..panel.blocks {
            let lines = &panel.weights[block * BLOCK / STEP..][..BLOCK / STEP];
            for (token, sums) in sums.iter_mut().enumerate() {
                let at = (start + block) * x.tokens + token;
                let quants = &x.quants[at].0;
                for (row, sum) in sums.iter_mut().enumerate() {
                    let dot = |part: usize| -> f32 {
                        let inputs = part * BLOCK / parts..(part + 1) * BLOCK / parts;
                        let weight = |i: usize| lines[i / STEP].0[row * STEP + i % STEP] as i8;
                        let products = inputs.map(|i| i32::from(weight(i)) * i32::from(quants[i]));
                        products.sum::<i32>() as f32
                    };
                    let scale = |part: usize| panel.scales[block * parts + part][row];
                    let mut scaled = dot(0) * scale(0);
                    if parts == 2 {
                        scaled += dot(1) * scale(1);
                    }
                    *sum += scaled * x.scales[at];
                    if matrix.form.minimums {
                        for part in 0..parts {
                            let minimum = panel.minimums[block * parts + part][row];
                            *sum += minimum * terms.sums[at * parts + part];
                        }
                    }
                }
            }
        }
    }
}

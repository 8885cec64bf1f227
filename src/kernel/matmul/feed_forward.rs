//! SwiGLU's feed-forward part, whose inner values are rounded as soon as they are there.

use super::linear::{Input, Linear, multiply, multiply_panels, with_scratch};
use super::quantize::{Activations, Quants, quantize_block};
use super::{BLOCK, ROWS};
use crate::kernel::activation::{silu, silu_mul};
use crate::kernel::backend::{Backend, Work};
use crate::kernel::lanes::Lanes;

/// y + down(silu(gate(x)) · up(x)): x `[tokens, inputs]`, added to y `[tokens, outputs]` of `down`.
pub fn feed_forward(gate: &Linear, up: &Linear, down: &Linear, x: &[f32], y: &mut [f32]) {
    feed_forward_on(Backend::best(), gate, up, down, x, y);
}

pub(super) fn feed_forward_on(
    backend: Backend,
    gate: &Linear,
    up: &Linear,
    down: &Linear,
    x: &[f32],
    y: &mut [f32],
) {
    if x.is_empty() {
        return;
    }
    if down.form().is_none() {
        let [mut inner, up] = multiply([gate, up], x);
        silu_mul(&mut inner, &up);
        return down.add_to(&inner, y);
    }
    let input = Input::new(backend, &[gate, up], x);
    let [inner, _] = gate.shape();
    assert_eq!(up.shape(), gate.shape());
    let rounded = Activations::fill(input.tokens, inner, 1, |block, quants, scales| {
        with_scratch(|scratch| {
            let first = block * BLOCK / ROWS;
            let panels = [(gate, first), (gate, first + 1), (up, first), (up, first + 1)];
            for ((matrix, panel), sums) in panels.into_iter().zip(&mut scratch.sums) {
                sums.resize(input.tokens, [0.0; ROWS]);
                matrix.multiply_panel(backend, panel, &input, &mut scratch.panel, sums);
            }
            let sums = scratch.sums.each_ref().map(|sums| &sums[..]);
            backend.run(Gate { sums, quants, scales });
        });
    });
    let input = Input::of_rounded(backend, &[down], rounded);
    multiply_panels(backend, &[down], &input, &mut [y], true);
}

/// Rounds silu(gate) · up of one block of all tokens.
struct Gate<'a> {
    /// Two panels of the gate, then two of up, each `[tokens, ROWS]`.
    sums: [&'a [[f32; ROWS]]; 4],
    quants: &'a mut [Quants],
    scales: &'a mut [f32],
}

impl Work for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let tokens = self.quants.len();
        let sums = self.sums.map(|sums| &sums[..tokens]);
        for (token, (quants, scale)) in self.quants.iter_mut().zip(self.scales).enumerate() {
            let mut block = [0.0; BLOCK];
            for half in 0..2 {
                let (gate, up) = (&sums[half][token], &sums[2 + half][token]);
                for row in 0..ROWS {
                    block[half * ROWS + row] = silu(gate[row]) * up[row];
                }
            }
            *scale = quantize_block(&block, quants);
        }
    }
}

//! The feed-forward part of a layer (SwiGLU): gate, up and down in one operation.
//!
//! A block of inner values is rounded to 8 bits as soon as it is computed, so that they are never held
//! as floats.

use super::activations::{QuantBlock, QuantizedActivations, quantize_block};
use super::input::Input;
use super::layout::{BLOCK, ROWS};
use super::linear::Linear;
use super::multiply::{input, multiply, multiply_panels, with_scratch};
use crate::kernel::isa::{Isa, SimdTask};
use crate::kernel::lanes::Lanes;
use crate::kernel::select;
use crate::kernel::silu::{silu, silu_mul};

/// y + down(silu(gate(x)) · up(x)): x `[tokens, inputs]`, added to y `[tokens, outputs]` of `down`.
pub fn feed_forward(gate: &Linear, up: &Linear, down: &Linear, x: &[f32], y: &mut [f32]) {
    feed_forward_on(select::best(), gate, up, down, x, y);
}

/// [`feed_forward`] with an instruction set of this machine.
pub fn feed_forward_on(
    isa: Isa,
    gate: &Linear,
    up: &Linear,
    down: &Linear,
    x: &[f32],
    y: &mut [f32],
) {
    if x.is_empty() {
        return;
    }
    let Some(down_layout) = down.layout() else {
        let [mut inner, up] = multiply([gate, up], x);
        silu_mul(&mut inner, &up);
        return down.add_to(&inner, y);
    };
    let input = input(isa, &[gate, up], x);
    let [inner, _] = gate.shape();
    assert_eq!(up.shape(), gate.shape());
    let quantized = QuantizedActivations::fill(input.tokens, inner, 1, |block, quants, scales| {
        with_scratch(|scratch| {
            let first = block * BLOCK / ROWS;
            let panels = [(gate, first), (gate, first + 1), (up, first), (up, first + 1)];
            for ((matrix, panel), sums) in panels.into_iter().zip(&mut scratch.sums) {
                sums.resize(input.tokens, [0.0; ROWS]);
                matrix.multiply_panel(isa, panel, &input, &mut scratch.panel, sums);
            }
            let sums = scratch.sums.each_ref().map(|sums| &sums[..]);
            isa.run(SwiGluTask { sums, quants, scales });
        });
    });
    let input = Input::from_quantized(isa, &[down_layout], quantized);
    multiply_panels(isa, &[down], &input, &mut [y], true);
}

/// Rounds silu(gate) · up of one block of all tokens.
struct SwiGluTask<'a> {
    /// Two panels of the gate, then two of up, each `[tokens, ROWS]`.
    sums: [&'a [[f32; ROWS]]; 4],
    quants: &'a mut [QuantBlock],
    scales: &'a mut [f32],
}

impl SimdTask for SwiGluTask<'_> {
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

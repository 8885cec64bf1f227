//! The products of activations with weight matrices, on all threads.

use std::cell::Cell;

use super::input::Input;
use super::layout::{ROWS, WidenScratch};
use super::linear::Linear;
use super::output_columns::OutputColumns;
use crate::kernel::isa::Isa;
use crate::kernel::select;
use crate::kernel::threads::for_each;

impl Linear {
    /// y + x · Wᵀ: `[tokens, inputs]` added to `[tokens, outputs]`.
    pub fn add_to(&self, x: &[f32], y: &mut [f32]) {
        run(select::best(), &[self], x, &mut [y], true);
    }
}

/// x · Wᵀ for several matrices with the same number of inputs: x is rounded once, and the threads
/// share the panels of all matrices.
pub fn multiply<const N: usize>(matrices: [&Linear; N], x: &[f32]) -> [Vec<f32>; N] {
    multiply_on(select::best(), matrices, x)
}

/// [`multiply`] into `products`, each `[tokens, outputs]`, which are overwritten.
///
/// # Panics
/// If one of them has another size, and there are any tokens.
pub fn multiply_into<const N: usize>(
    matrices: [&Linear; N],
    x: &[f32],
    mut products: [&mut [f32]; N],
) {
    run(select::best(), &matrices, x, &mut products, false);
}

/// [`multiply`] with an instruction set of this machine.
pub fn multiply_on<const N: usize>(isa: Isa, matrices: [&Linear; N], x: &[f32]) -> [Vec<f32>; N] {
    let tokens = x.len() / matrices[0].shape()[1];
    let mut products = matrices.map(|matrix| vec![0.0; tokens * matrix.shape()[0]]);
    let mut slices = products.each_mut().map(|product| &mut product[..]);
    run(isa, &matrices, x, &mut slices, false);
    products
}

/// Multiplies x with all matrices; products overwrite `out`, or are added to it.
fn run(isa: Isa, matrices: &[&Linear], x: &[f32], out: &mut [&mut [f32]], add: bool) {
    if x.is_empty() {
        return;
    }
    let input = input(isa, matrices, x);
    multiply_panels(isa, matrices, &input, out, add);
}

/// x `[tokens, inputs]`, prepared for some matrices.
pub fn input<'a>(isa: Isa, matrices: &[&Linear], x: &'a [f32]) -> Input<'a> {
    let [_, inputs] = matrices[0].shape();
    assert_eq!(x.len() % inputs, 0);
    assert!(matrices.iter().all(|matrix| matrix.shape()[1] == inputs));
    let layouts: Vec<_> = matrices.iter().filter_map(|matrix| matrix.layout()).collect();
    Input::new(isa, &layouts, x, inputs)
}

/// Multiplies all panels of all matrices, shared among the threads.
pub fn multiply_panels(
    isa: Isa,
    matrices: &[&Linear],
    input: &Input<'_>,
    out: &mut [&mut [f32]],
    add: bool,
) {
    let columns: Vec<OutputColumns<'_>> = out
        .iter_mut()
        .zip(matrices)
        .map(|(out, matrix)| OutputColumns::new(out, input.tokens, matrix.shape()[0]))
        .collect();
    for_each(matrices.iter().map(|matrix| matrix.panels()).sum(), |mut panel| {
        let mut index = 0;
        while panel >= matrices[index].panels() {
            panel -= matrices[index].panels();
            index += 1;
        }
        with_scratch(|scratch| {
            let [sums, ..] = &mut scratch.sums;
            sums.resize(input.tokens, [0.0; ROWS]);
            columns[index].prefetch(panel * ROWS);
            matrices[index].multiply_panel(isa, panel, input, &mut scratch.panel, sums);
            // SAFETY: each panel of a matrix is one task.
            #[allow(unsafe_code)]
            unsafe {
                columns[index].write(panel * ROWS, sums, add);
            }
        });
    });
}

/// Memory that a thread reuses from panel to panel.
#[derive(Default)]
pub struct MatmulScratch {
    /// For the weights of a panel.
    pub panel: WidenScratch,
    /// Sums of up to four panels, each `[tokens, ROWS]`.
    pub sums: [Vec<[f32; ROWS]>; 4],
}

/// Calls `work` with this thread's scratch.
pub fn with_scratch(work: impl FnOnce(&mut MatmulScratch)) {
    thread_local! {
        static SCRATCH: Cell<MatmulScratch> = Cell::default();
    }
    let mut scratch = SCRATCH.take();
    work(&mut scratch);
    SCRATCH.set(scratch);
}

//! Weight matrices of any type, and their products with activations on all threads.

use crate::gguf::TensorType;
use std::cell::Cell;
use std::marker::PhantomData;

use super::float::{FloatMatrix, Multiply};
use super::pack::Form;
use super::{Activations, Matrix, ROWS, Scratch, Terms, dispatch};
use crate::kernel::backend::Backend;
use crate::kernel::cache::prefetch;
use crate::kernel::lanes::each;
use crate::kernel::threads::for_each;

/// A weight matrix `[outputs, inputs]`, packed.
#[derive(Debug)]
pub struct Linear {
    /// How the file holds it.
    pub dtype: TensorType,
    weights: Weights,
}

#[derive(Debug)]
enum Weights {
    Quantized(Matrix),
    Float(FloatMatrix),
}

impl Linear {
    /// Packs a matrix `[outputs, inputs]` from a file's blocks.
    ///
    /// # Panics
    /// If `raw` has another length, rows are not whole blocks, or the type is
    /// not one of those that files hold weights in.
    pub fn new(dtype: TensorType, raw: &[u8], outputs: usize, inputs: usize) -> Self {
        Self::new_on(Backend::best(), dtype, raw, outputs, inputs)
    }

    /// [`Linear::new`], packed by one of the backends that work here.
    pub(super) fn new_on(
        backend: Backend,
        dtype: TensorType,
        raw: &[u8],
        outputs: usize,
        inputs: usize,
    ) -> Self {
        let weights = match Matrix::pack(backend, dtype, raw, outputs, inputs) {
            Some(matrix) => Weights::Quantized(matrix),
            None => Weights::Float(FloatMatrix::pack(dtype, raw, outputs, inputs)),
        };
        Self { dtype, weights }
    }

    /// What multiplies it on this machine.
    pub fn path(&self) -> &'static str {
        match self.form() {
            Some(form) => dispatch::name(dispatch::kernel(Backend::best(), form)),
            None if Backend::best() == Backend::SCALAR => "f32 loops",
            None => "f32 vector loops",
        }
    }

    /// y + x · Wᵀ: `[tokens, inputs]` added to `[tokens, outputs]`.
    pub fn add_to(&self, x: &[f32], y: &mut [f32]) {
        run(Backend::best(), &[self], x, &mut [y], true);
    }

    /// Multiplies one panel of [`ROWS`] rows with all tokens: sums `[tokens, ROWS]`, overwritten.
    pub(super) fn multiply_panel(
        &self,
        backend: Backend,
        panel: usize,
        input: &Input<'_>,
        scratch: &mut Scratch,
        sums: &mut [[f32; ROWS]],
    ) {
        match &self.weights {
            Weights::Quantized(matrix) => {
                let (x, terms) = input.rounded(matrix.form);
                dispatch::multiply(backend, matrix, panel, x, terms, scratch, sums);
            }
            Weights::Float(matrix) => backend.run(Multiply { matrix, panel, x: input.x, sums }),
        }
    }

    /// The form of a quantized matrix.
    pub(super) fn form(&self) -> Option<Form> {
        match &self.weights {
            Weights::Quantized(matrix) => Some(matrix.form),
            Weights::Float(_) => None,
        }
    }

    /// Panels of [`ROWS`] rows; the last may be filled up with zeros.
    fn panels(&self) -> usize {
        self.shape()[0].div_ceil(ROWS)
    }

    /// `[outputs, inputs]`
    pub(super) fn shape(&self) -> [usize; 2] {
        match &self.weights {
            Weights::Quantized(matrix) => [matrix.outputs(), matrix.inputs()],
            Weights::Float(matrix) => [matrix.outputs, matrix.inputs],
        }
    }

    /// Bytes that it takes in memory.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        match &self.weights {
            Weights::Quantized(matrix) => matrix.size(),
            Weights::Float(matrix) => matrix.size(),
        }
    }
}

/// x · Wᵀ for several matrices of as many inputs: x is rounded once, and all panels are shared
/// out among the threads together.
pub(super) fn multiply<const N: usize>(matrices: [&Linear; N], x: &[f32]) -> [Vec<f32>; N] {
    multiply_on(Backend::best(), matrices, x)
}

/// [`multiply`], the products written over those that `products` hold.
///
/// # Panics
/// If one of them has another size, and there are any tokens.
pub fn multiply_into<const N: usize>(
    matrices: [&Linear; N],
    x: &[f32],
    mut products: [&mut [f32]; N],
) {
    run(Backend::best(), &matrices, x, &mut products, false);
}

/// [`multiply`] on one of the backends that work here.
pub(super) fn multiply_on<const N: usize>(
    backend: Backend,
    matrices: [&Linear; N],
    x: &[f32],
) -> [Vec<f32>; N] {
    let tokens = x.len() / matrices[0].shape()[1];
    let mut products = matrices.map(|matrix| vec![0.0; tokens * matrix.shape()[0]]);
    let mut slices = products.each_mut().map(|product| &mut product[..]);
    run(backend, &matrices, x, &mut slices, false);
    products
}

/// Multiplies x with all matrices; products overwrite those of `out`, or are added.
fn run(backend: Backend, matrices: &[&Linear], x: &[f32], out: &mut [&mut [f32]], add: bool) {
    let inputs = matrices[0].shape()[1];
    assert_eq!(x.len() % inputs, 0);
    if x.is_empty() {
        return;
    }
    let input = Input::new(backend, matrices, x);
    multiply_panels(backend, matrices, &input, out, add);
}

/// Shares the panels of all matrices out among the threads.
pub(super) fn multiply_panels(
    backend: Backend,
    matrices: &[&Linear],
    input: &Input<'_>,
    out: &mut [&mut [f32]],
    add: bool,
) {
    let targets: Vec<Strips<'_>> = out
        .iter_mut()
        .zip(matrices)
        .map(|(out, matrix)| Strips::new(out, input.tokens, matrix.shape()[0]))
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
            targets[index].fetch(panel * ROWS);
            matrices[index].multiply_panel(backend, panel, input, &mut scratch.panel, sums);
            // SAFETY: each panel of a matrix is one task's.
            #[allow(unsafe_code)]
            unsafe {
                targets[index].write(panel * ROWS, sums, add);
            }
        });
    });
}

/// What a thread multiplies in, kept from panel to panel.
#[derive(Default)]
pub(super) struct ThreadScratch {
    pub panel: Scratch,
    /// Sums of up to four panels, each `[tokens, ROWS]`.
    pub sums: [Vec<[f32; ROWS]>; 4],
}

/// Calls `work` with this thread's scratch.
pub(super) fn with_scratch(work: impl FnOnce(&mut ThreadScratch)) {
    thread_local! {
        static SCRATCH: Cell<ThreadScratch> = Cell::default();
    }
    let mut scratch = SCRATCH.take();
    work(&mut scratch);
    SCRATCH.set(scratch);
}

/// Activations as the forms of some matrices want them.
pub(super) struct Input<'a> {
    x: &'a [f32],
    pub tokens: usize,
    rounded: Option<Activations>,
    terms: Vec<(Form, Terms)>,
}

impl<'a> Input<'a> {
    /// Of x `[tokens, inputs]`, which is rounded if any of the matrices is quantized.
    pub fn new(backend: Backend, matrices: &[&Linear], x: &'a [f32]) -> Self {
        let inputs = matrices[0].shape()[1];
        let quantized = matrices.iter().any(|matrix| matrix.form().is_some());
        let rounded = quantized.then(|| Activations::quantize(backend, x, inputs));
        Self { x, tokens: x.len() / inputs, rounded, terms: Vec::new() }.for_all(backend, matrices)
    }

    /// Of activations that are rounded already, for quantized matrices alone.
    pub fn of_rounded(backend: Backend, matrices: &[&Linear], rounded: Activations) -> Self {
        let tokens = rounded.tokens;
        Self { x: &[], tokens, rounded: Some(rounded), terms: Vec::new() }
            .for_all(backend, matrices)
    }

    fn for_all(mut self, backend: Backend, matrices: &[&Linear]) -> Self {
        for matrix in matrices {
            assert_eq!(matrix.shape()[1], matrices[0].shape()[1]);
            let (Some(form), Some(rounded)) = (matrix.form(), &mut self.rounded) else { continue };
            let kernel = dispatch::kernel(backend, form);
            if dispatch::wants_wide(kernel) {
                rounded.widen();
            }
            if !self.terms.iter().any(|(other, _)| *other == form) {
                let terms = rounded.terms(backend, form, dispatch::is_signed(kernel));
                self.terms.push((form, terms));
            }
        }
        self
    }

    fn rounded(&self, form: Form) -> (&Activations, &Terms) {
        let terms = self.terms.iter().find(|(other, _)| *other == form);
        match (&self.rounded, terms) {
            (Some(rounded), Some((_, terms))) => (rounded, terms),
            _ => unreachable!("each form of the matrices has its terms: bug"),
        }
    }
}

/// A matrix `[tokens, outputs]` that panels are written to side by side.
struct Strips<'a> {
    start: *mut f32,
    tokens: usize,
    outputs: usize,
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for the exclusive borrow of a slice of f32, and `write` is called for each
// strip of columns once, so that no two threads write to the same place.
#[allow(unsafe_code)]
unsafe impl Sync for Strips<'_> {}

impl<'a> Strips<'a> {
    fn new(matrix: &'a mut [f32], tokens: usize, outputs: usize) -> Self {
        assert_eq!(matrix.len(), tokens * outputs);
        Self { start: matrix.as_mut_ptr(), tokens, outputs, matrix: PhantomData }
    }

    /// Asks for the places of the columns from `first` on. Each token's is a cache line of its own,
    /// far from the next: what no processor foresees.
    fn fetch(&self, first: usize) {
        for token in 0..self.tokens {
            prefetch(self.start.wrapping_add(token * self.outputs + first));
        }
    }

    /// Writes, or adds, sums `[tokens, ROWS]` to the columns from `first` on, as many as there are.
    ///
    /// # Safety
    /// No other thread has this strip.
    #[allow(unsafe_code)]
    unsafe fn write(&self, first: usize, sums: &[[f32; ROWS]], add: bool) {
        assert!(sums.len() == self.tokens && first < self.outputs);
        let columns = ROWS.min(self.outputs - first);
        for (token, sums) in sums.iter().enumerate() {
            // SAFETY: within the matrix, as token < tokens and first + columns <= outputs, and
            // by the caller's promise.
            let strip = unsafe {
                let at = self.start.add(token * self.outputs + first);
                std::slice::from_raw_parts_mut(at, columns)
            };
            match <&mut [f32; ROWS]>::try_from(&mut *strip) {
                // Of a fixed length almost always. All is read before any is written, or the values
                // would go one by one: the compiler cannot know that the two lie apart.
                Ok(strip) if add => {
                    let before = *strip;
                    *strip = each(|row| before[row] + sums[row]);
                }
                Ok(strip) => *strip = *sums,
                Err(_) => {
                    for (value, sum) in strip.iter_mut().zip(sums) {
                        *value = if add { *value + sum } else { *sum };
                    }
                }
            }
        }
    }
}

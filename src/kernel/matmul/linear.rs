//! Weight matrices of any type.

use super::dispatch;
use super::float::{FloatMatrix, FloatPanelTask};
use super::input::Input;
use super::layout::{PackedMatrix, QuantLayout, ROWS, WidenScratch};
use crate::gguf::TensorType;
use crate::kernel::isa::Isa;
use crate::kernel::select;

/// A weight matrix `[outputs, inputs]`, packed.
#[derive(Debug)]
pub struct Linear {
    /// How the file holds it.
    pub dtype: TensorType,
    weights: Weights,
}

#[derive(Debug)]
enum Weights {
    Quantized(PackedMatrix),
    Float(FloatMatrix),
}

impl Linear {
    /// Packs a matrix `[outputs, inputs]` from a file's blocks.
    ///
    /// # Panics
    /// If `raw` has another length, or rows are not whole blocks.
    pub fn new(dtype: TensorType, raw: &[u8], outputs: usize, inputs: usize) -> Self {
        Self::new_on(select::best(), dtype, raw, outputs, inputs)
    }

    /// [`Linear::new`], packed with an instruction set of this machine.
    pub fn new_on(isa: Isa, dtype: TensorType, raw: &[u8], outputs: usize, inputs: usize) -> Self {
        let weights = match PackedMatrix::pack(isa, dtype, raw, outputs, inputs) {
            Some(matrix) => Weights::Quantized(matrix),
            None => Weights::Float(FloatMatrix::pack(dtype, raw, outputs, inputs)),
        };
        Self { dtype, weights }
    }

    /// The kernel that multiplies it on this machine, for `info` and diagnostics.
    pub fn path(&self) -> &'static str {
        match self.layout() {
            Some(layout) => dispatch::name(dispatch::kernel(select::best(), layout)),
            None if select::best() == Isa::SCALAR => "f32 loops",
            None => "f32 vector loops",
        }
    }

    /// Multiplies one panel of [`ROWS`] rows with all tokens: sums `[tokens, ROWS]`, overwritten.
    pub fn multiply_panel(
        &self,
        isa: Isa,
        panel: usize,
        input: &Input<'_>,
        scratch: &mut WidenScratch,
        sums: &mut [[f32; ROWS]],
    ) {
        match &self.weights {
            Weights::Quantized(matrix) => {
                let (x, terms) = input.quantized(matrix.layout);
                dispatch::multiply(isa, matrix, panel, x, terms, scratch, sums);
            }
            Weights::Float(matrix) => isa.run(FloatPanelTask { matrix, panel, x: input.x, sums }),
        }
    }

    /// The layout of a quantized matrix.
    pub fn layout(&self) -> Option<QuantLayout> {
        match &self.weights {
            Weights::Quantized(matrix) => Some(matrix.layout),
            Weights::Float(_) => None,
        }
    }

    /// Panels of [`ROWS`] rows; the last may be filled up with zeros.
    pub fn panels(&self) -> usize {
        self.shape()[0].div_ceil(ROWS)
    }

    /// `[outputs, inputs]`
    pub fn shape(&self) -> [usize; 2] {
        match &self.weights {
            Weights::Quantized(matrix) => [matrix.outputs, matrix.inputs()],
            Weights::Float(matrix) => [matrix.outputs, matrix.inputs],
        }
    }

    /// Bytes that it takes in memory.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        match &self.weights {
            Weights::Quantized(matrix) => matrix.size(),
            Weights::Float(matrix) => matrix.size(),
        }
    }
}

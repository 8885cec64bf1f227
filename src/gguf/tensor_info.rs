//! What a header says of one tensor.

use super::tensor_type::TensorType;

/// A tensor's entry in a header; offset and size lie within its file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Sizes from the outermost to the innermost: `[rows, columns]` for a matrix. Outermost sizes of 1,
    /// which mean nothing in ggml, are left out.
    pub dims: Vec<usize>,
    /// How its values are stored.
    pub dtype: TensorType,
    /// Which file of a split model holds it: an index into the sources of [`super::Reader`].
    pub file: usize,
    /// Where its data starts, in bytes from the start of its file.
    pub offset: u64,
    /// How long its data is, in bytes.
    pub size: u64,
}

impl TensorInfo {
    /// Whether it has the sizes `dims`, sizes of 1 apart: a vector may be stored as `[n, 1]` too.
    pub fn has_shape(&self, dims: &[usize]) -> bool {
        fn wide(dims: &[usize]) -> impl Iterator<Item = &usize> {
            dims.iter().filter(|&&dim| dim != 1)
        }
        wide(&self.dims).eq(wide(dims))
    }

    /// Values in it.
    pub fn elements(&self) -> u64 {
        self.dims.iter().map(|&dim| dim as u64).product()
    }
}

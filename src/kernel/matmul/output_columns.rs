//! A matrix of results that tasks write to in parallel, a panel of columns each.

use std::marker::PhantomData;

use super::layout::ROWS;
use crate::kernel::lanes::array_from_fn;
use crate::kernel::prefetch::prefetch;

/// A matrix `[tokens, outputs]` to which tasks write columns in parallel.
pub struct OutputColumns<'a> {
    start: *mut f32,
    tokens: usize,
    outputs: usize,
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for the exclusive borrow of a slice of f32, and `write` is called once for each
// panel of columns, so that no two threads write to the same place.
#[allow(unsafe_code)]
unsafe impl Sync for OutputColumns<'_> {}

impl<'a> OutputColumns<'a> {
    /// Borrows `[tokens, outputs]`.
    pub fn new(matrix: &'a mut [f32], tokens: usize, outputs: usize) -> Self {
        assert_eq!(matrix.len(), tokens * outputs);
        Self { start: matrix.as_mut_ptr(), tokens, outputs, matrix: PhantomData }
    }

    /// Prefetches the places of the [`ROWS`] columns from `first` on. Each token's is a cache line of its
    /// own, too far from the next for the processor to prefetch it by itself.
    pub fn prefetch(&self, first: usize) {
        for token in 0..self.tokens {
            prefetch(self.start.wrapping_add(token * self.outputs + first));
        }
    }

    /// Writes, or adds, sums `[tokens, ROWS]` to the columns from `first` on, as many as there are.
    ///
    /// # Safety
    /// No other thread writes to these columns.
    #[allow(unsafe_code)]
    pub unsafe fn write(&self, first: usize, sums: &[[f32; ROWS]], add: bool) {
        assert!(sums.len() == self.tokens && first < self.outputs);
        let columns = ROWS.min(self.outputs - first);
        for (token, sums) in sums.iter().enumerate() {
            // SAFETY: within the matrix, as token < tokens and first + columns <= outputs, and
            // by the caller's promise.
            let place = unsafe {
                let at = self.start.add(token * self.outputs + first);
                std::slice::from_raw_parts_mut(at, columns)
            };
            match <&mut [f32; ROWS]>::try_from(&mut *place) {
                // Almost always all columns are there. All are read before any is written, or they would
                // be added one by one: the compiler cannot know that `place` and `sums` do not overlap.
                Ok(place) if add => {
                    let before = *place;
                    *place = array_from_fn(|row| before[row] + sums[row]);
                }
                Ok(place) => *place = *sums,
                Err(_) => {
                    for (value, sum) in place.iter_mut().zip(sums) {
                        *value = if add { *value + sum } else { *sum };
                    }
                }
            }
        }
    }
}

//! A tile of queries, one in each lane, and the results that tiles write to.

use std::marker::PhantomData;
use std::ops::Range;

use super::shape::{AttentionShape, TokenPosition};
use super::softmax::scale;
use super::transpose::{from_lanes, to_lanes};
use crate::kernel::lanes::{LANES, Lanes, array_from_fn};

/// The queries of some rows of one document, of some heads that share keys.
pub struct QueryTile<'a> {
    pub shape: AttentionShape,
    /// `[rows, heads, head_dim]`
    pub queries: &'a [f32],
    /// All rows.
    pub rows: &'a [TokenPosition],
    /// Those of this tile.
    pub group: Range<usize>,
    /// Its query heads.
    pub heads: Range<usize>,
    /// The key head that they share.
    pub kv_head: usize,
}

impl QueryTile<'_> {
    /// Row and head of a lane; unused lanes repeat the last.
    #[inline(always)]
    pub fn lane(&self, lane: usize) -> (usize, usize) {
        let lane = lane.min(self.lanes() - 1);
        (self.group.start + lane / self.heads.len(), self.heads.start + lane % self.heads.len())
    }

    /// Lanes that are used.
    #[inline(always)]
    pub fn lanes(&self) -> usize {
        self.group.len() * self.heads.len()
    }

    /// The last key that each lane sees, if `before` keys precede its document.
    #[inline(always)]
    pub fn last_keys(&self, before: usize) -> [usize; LANES] {
        array_from_fn(|lane| {
            let TokenPosition { start, token } = self.rows[self.lane(lane).0];
            before + token - start
        })
    }

    /// Where a lane's values start in `[rows, heads, head_dim]`.
    #[inline(always)]
    pub fn start(&self, lane: usize) -> usize {
        let (row, head) = self.lane(lane);
        (row * self.shape.heads + head) * self.shape.head_dim
    }

    /// The queries divided by √head_dim, as `[head_dim, LANES]`.
    #[inline(always)]
    pub fn read_queries<L: Lanes>(&self, lanes: &mut Vec<[f32; LANES]>) {
        let head_dim = self.shape.head_dim;
        lanes.clear();
        lanes.resize(head_dim, [0.0; LANES]);
        let rows: [&[f32]; LANES] =
            array_from_fn(|lane| &self.queries[self.start(lane)..][..head_dim]);
        to_lanes::<L>(&rows, lanes);
        scale(lanes, &[1.0 / (head_dim as f32).sqrt(); LANES]);
    }

    /// Writes `[head_dim, LANES]` to the places of the lanes.
    #[inline(always)]
    pub fn write<L: Lanes>(&self, sums: &[[f32; LANES]], out: &Output<'_>) {
        let mut rows = [[0.0; LANES]; LANES];
        for (index, sums) in sums.chunks(LANES).enumerate() {
            from_lanes::<L>(sums, &mut rows);
            for (lane, row) in rows[..self.lanes()].iter().enumerate() {
                // SAFETY: no other tile writes this head of this row.
                #[allow(unsafe_code)]
                unsafe {
                    out.write(self.start(lane) + index * LANES, &row[..sums.len()]);
                }
            }
        }
    }
}

/// Results `[rows, heads, head_dim]`, to which tiles write in parallel.
pub struct Output<'a> {
    start: *mut f32,
    length: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for the exclusive borrow of a slice of f32, and each head of a row is written by
// one tile.
#[allow(unsafe_code)]
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    /// Borrows the results.
    pub fn new(out: &'a mut [f32]) -> Self {
        Self { start: out.as_mut_ptr(), length: out.len(), values: PhantomData }
    }

    /// Writes values from index `at` on.
    ///
    /// # Safety
    /// No other thread writes to this place.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub unsafe fn write(&self, at: usize, values: &[f32]) {
        assert!(at + values.len() <= self.length);
        // SAFETY: within the slice, and by the caller's promise.
        let place = unsafe { std::slice::from_raw_parts_mut(self.start.add(at), values.len()) };
        place.copy_from_slice(values);
    }
}

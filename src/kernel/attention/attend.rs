//! Runs attention tile by tile, on all threads.

use std::cell::Cell;
use std::ops::Range;

use super::products::{add_values, logits};
use super::shape::{AttentionShape, KeysValues, TokenPosition};
use super::softmax::{causal_mask, online_softmax, scale};
use super::tile::{Output, QueryTile};
use crate::kernel::isa::{Isa, SimdTask};
use crate::kernel::lanes::{LANES, Lanes};
use crate::kernel::select;
use crate::kernel::threads::for_each;

/// Keys whose logits are held at once.
const BLOCK_KEYS: usize = 128;

/// Attends every query to the whole of `prefix` and to its own document up to itself.
///
/// `queries` and `out` are `[rows, heads, head_dim]`; row i belongs to
/// `rows[i]`, whose indices point into `own`.
pub fn attention(
    shape: AttentionShape,
    queries: &[f32],
    rows: &[TokenPosition],
    prefix: KeysValues<'_>,
    own: KeysValues<'_>,
    out: &mut [f32],
) {
    attention_on(select::best(), shape, queries, rows, prefix, own, out);
}

/// [`attention`] with an instruction set of this machine.
pub fn attention_on(
    isa: Isa,
    shape: AttentionShape,
    queries: &[f32],
    rows: &[TokenPosition],
    prefix: KeysValues<'_>,
    own: KeysValues<'_>,
    out: &mut [f32],
) {
    let width = shape.heads * shape.head_dim;
    assert_eq!(queries.len(), rows.len() * width);
    assert_eq!(out.len(), queries.len());
    assert_eq!(prefix.keys.len(), prefix.values.len());
    assert_eq!(own.keys.len(), own.values.len());
    let groups = groups(rows, (LANES * shape.kv_heads / shape.heads).max(1));
    let out = Output::new(out);
    for_each(groups.len() * shape.kv_heads, |task| {
        let (group, kv_head) = (groups[task / shape.kv_heads].clone(), task % shape.kv_heads);
        let mut scratch = SCRATCH.take();
        // Query heads that share a key head may be more than there are lanes.
        let heads = shape.heads / shape.kv_heads;
        for first in (0..heads).step_by(LANES) {
            let heads = kv_head * heads + first..kv_head * heads + heads.min(first + LANES);
            let tile = QueryTile { shape, queries, rows, group: group.clone(), heads, kv_head };
            isa.run(AttendTask { tile, prefix, own, scratch: &mut scratch, out: &out });
        }
        SCRATCH.set(scratch);
    });
}

/// Ranges of at most `most` consecutive rows of one document.
fn groups(rows: &[TokenPosition], most: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (row, query) in rows.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if group.len() < most && rows[group.start].start == query.start => {
                group.end += 1;
            }
            _ => groups.push(row..row + 1),
        }
    }
    groups
}

/// Memory that a thread reuses from tile to tile.
#[derive(Default)]
struct AttentionScratch {
    queries: Vec<[f32; LANES]>, // [head_dim, LANES]
    weights: Vec<[f32; LANES]>, // [BLOCK_KEYS, LANES]
    sums: Vec<[f32; LANES]>,    // [head_dim, LANES]
}

thread_local! {
    static SCRATCH: Cell<AttentionScratch> = Cell::default();
}

/// Computes one tile.
struct AttendTask<'a> {
    tile: QueryTile<'a>,
    prefix: KeysValues<'a>,
    own: KeysValues<'a>,
    scratch: &'a mut AttentionScratch,
    out: &'a Output<'a>,
}

impl SimdTask for AttendTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { tile, prefix, own, scratch: AttentionScratch { queries, weights, sums }, out } =
            self;
        let AttentionShape { kv_heads, head_dim, .. } = tile.shape;
        let (width, offset) = (kv_heads * head_dim, tile.kv_head * head_dim);
        let before = prefix.keys.len() / width;
        let start = tile.rows[tile.group.start].start;
        let last = tile.last_keys(before);
        tile.read_queries::<L>(queries);
        sums.clear();
        sums.resize(head_dim, [0.0; LANES]);
        let mut highest = [f32::NEG_INFINITY; LANES];
        let mut totals = [0.0; LANES];
        let end = last[tile.lanes() - 1] + 1;
        for first in (0..end).step_by(BLOCK_KEYS) {
            let keys = first..end.min(first + BLOCK_KEYS);
            weights.clear();
            weights.resize(keys.len(), [0.0; LANES]);
            // The block's keys in the prefix, then those of the document itself.
            let (in_prefix, in_own) = split(keys.clone(), before);
            let in_own = start + in_own.start..start + in_own.end;
            let (left, right) = weights.split_at_mut(in_prefix.len());
            let prefix_keys = part(prefix.keys, in_prefix.clone(), width);
            logits::<L>(queries, prefix_keys, offset, width, left);
            logits::<L>(queries, part(own.keys, in_own.clone(), width), offset, width, right);
            causal_mask(weights, keys, &last);
            let factor = online_softmax(weights, &mut highest, &mut totals);
            scale(sums, &factor);
            let (left, right) = weights.split_at(in_prefix.len());
            add_values::<L>(left, part(prefix.values, in_prefix, width), offset, width, sums);
            add_values::<L>(right, part(own.values, in_own, width), offset, width, sums);
        }
        scale(sums, &totals.map(|total| 1.0 / total));
        tile.write::<L>(sums, out);
    }
}

/// The part of a range before `at`, and the part from there on, counted from `at`.
#[inline(always)]
fn split(range: Range<usize>, at: usize) -> (Range<usize>, Range<usize>) {
    let before = range.start.min(at)..range.end.min(at);
    (before, range.start.max(at) - at..range.end.max(at) - at)
}

/// The values of some tokens of `[tokens, width]`.
#[inline(always)]
fn part(values: &[f32], tokens: Range<usize>, width: usize) -> &[f32] {
    &values[tokens.start * width..tokens.end * width]
}

//! Causal attention of ragged documents behind a shared prefix.
//!
//! Sixteen queries at a time, that share a document and a key head, lie in the
//! lanes of vectors; keys and values are read as they are. The softmax is online
//! (Milakov and Gimelshein, 2018) over blocks of keys, so that no row of logits
//! is ever held whole (Dao et al., 2022). Blocks begin at fixed positions and
//! sums run in the keys' order: where the prefix ends changes no bit.

use std::cell::Cell;
use std::ops::Range;

use super::backend::{Backend, Work};
use super::exp::exp;
use super::lanes::{LANES, Lanes, each};
use super::threads::for_each;

/// Keys whose logits are held at once.
const KEYS: usize = 128;

/// How attention is split into heads (grouped-query: several heads share keys and values).
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Values in a head.
    pub head_dim: usize,
}

/// Keys and values of a run of tokens, each `[tokens, kv_heads, head_dim]`.
#[derive(Clone, Copy, Debug)]
pub struct KeysValues<'a> {
    /// Keys, turned to their positions.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
}

/// Whose query it is: the token at `token` of a document that starts at `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Index of the document's first token in the batch.
    pub start: usize,
    /// Index of the token itself in the batch.
    pub token: usize,
}

/// Attends every query to the whole of `prefix` and to its own document up to itself.
///
/// `queries` and `out` are `[rows, heads, head_dim]`; row i belongs to
/// `rows[i]`, whose indices point into `own`.
pub fn attention(
    shape: Heads,
    queries: &[f32],
    rows: &[Query],
    prefix: KeysValues<'_>,
    own: KeysValues<'_>,
    out: &mut [f32],
) {
    attention_on(Backend::best(), shape, queries, rows, prefix, own, out);
}

fn attention_on(
    backend: Backend,
    shape: Heads,
    queries: &[f32],
    rows: &[Query],
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
    let out = Output { start: out.as_mut_ptr(), length: out.len() };
    for_each(groups.len() * shape.kv_heads, |task| {
        let (group, kv_head) = (groups[task / shape.kv_heads].clone(), task % shape.kv_heads);
        let mut scratch = SCRATCH.take();
        // A group of query heads that has more than the lanes goes in parts.
        let heads = shape.heads / shape.kv_heads;
        for first in (0..heads).step_by(LANES) {
            let heads = kv_head * heads + first..kv_head * heads + heads.min(first + LANES);
            let tile = Tile { shape, queries, rows, group: group.clone(), heads, kv_head };
            backend.run(Attend { tile, prefix, own, scratch: &mut scratch, out: &out });
        }
        SCRATCH.set(scratch);
    });
}

/// Runs of at most `most` rows of one document.
fn groups(rows: &[Query], most: usize) -> Vec<Range<usize>> {
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

/// The queries of some rows of one document, of some heads that share keys.
struct Tile<'a> {
    shape: Heads,
    queries: &'a [f32],
    rows: &'a [Query],
    group: Range<usize>,
    heads: Range<usize>,
    kv_head: usize,
}

impl Tile<'_> {
    /// Row and head of a lane; the lanes behind the last repeat it.
    #[inline(always)]
    fn lane(&self, lane: usize) -> (usize, usize) {
        let lane = lane.min(self.lanes() - 1);
        (self.group.start + lane / self.heads.len(), self.heads.start + lane % self.heads.len())
    }

    #[inline(always)]
    fn lanes(&self) -> usize {
        self.group.len() * self.heads.len()
    }

    /// The last key that each lane sees, where `before` precede its document.
    #[inline(always)]
    fn last_keys(&self, before: usize) -> [usize; LANES] {
        each(|lane| {
            let Query { start, token } = self.rows[self.lane(lane).0];
            before + token - start
        })
    }

    /// Where a lane's values begin in `[rows, heads, head_dim]`.
    #[inline(always)]
    fn place(&self, lane: usize) -> usize {
        let (row, head) = self.lane(lane);
        (row * self.shape.heads + head) * self.shape.head_dim
    }

    /// The queries over √head_dim: `[head_dim]` of lanes.
    #[inline(always)]
    fn read_queries<L: Lanes>(&self, lanes: &mut Vec<[f32; LANES]>) {
        let head_dim = self.shape.head_dim;
        lanes.clear();
        lanes.resize(head_dim, [0.0; LANES]);
        let asked: [&[f32]; LANES] = each(|lane| &self.queries[self.place(lane)..][..head_dim]);
        to_lanes::<L>(&asked, lanes);
        scale(lanes, &[1.0 / (head_dim as f32).sqrt(); LANES]);
    }

    /// Writes `[head_dim]` of lanes, each where it belongs.
    #[inline(always)]
    fn write<L: Lanes>(&self, sums: &[[f32; LANES]], out: &Output) {
        let mut rows = [[0.0; LANES]; LANES];
        for (index, sums) in sums.chunks(LANES).enumerate() {
            from_lanes::<L>(sums, &mut rows);
            for (lane, row) in rows[..self.lanes()].iter().enumerate() {
                // SAFETY: no other tile has this head of this row.
                #[allow(unsafe_code)]
                unsafe {
                    out.write(self.place(lane) + index * LANES, &row[..sums.len()]);
                }
            }
        }
    }
}

/// What a tile works in, kept from tile to tile.
#[derive(Default)]
struct Scratch {
    queries: Vec<[f32; LANES]>, // [head_dim]
    weights: Vec<[f32; LANES]>, // [KEYS]
    sums: Vec<[f32; LANES]>,    // [head_dim]
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Values `[rows, heads, head_dim]` that tiles write to side by side.
struct Output {
    start: *mut f32,
    length: usize,
}

// SAFETY: it stands for the exclusive borrow of a slice of f32 that outlives it, and each head of
// a row is written by one tile.
#[allow(unsafe_code)]
unsafe impl Sync for Output {}

impl Output {
    /// # Safety
    /// No other thread has this place.
    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn write(&self, at: usize, values: &[f32]) {
        assert!(at + values.len() <= self.length);
        // SAFETY: within the slice, and by the caller's promise.
        let place = unsafe { std::slice::from_raw_parts_mut(self.start.add(at), values.len()) };
        place.copy_from_slice(values);
    }
}

struct Attend<'a> {
    tile: Tile<'a>,
    prefix: KeysValues<'a>,
    own: KeysValues<'a>,
    scratch: &'a mut Scratch,
    out: &'a Output,
}

impl Work for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { tile, prefix, own, scratch: Scratch { queries, weights, sums }, out } = self;
        let Heads { kv_heads, head_dim, .. } = tile.shape;
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
        for first in (0..end).step_by(KEYS) {
            let keys = first..end.min(first + KEYS);
            weights.clear();
            weights.resize(keys.len(), [0.0; LANES]);
            // The part of the block before the documents, then the document's own.
            let (in_prefix, in_own) = split(keys.clone(), before);
            let in_own = start + in_own.start..start + in_own.end;
            let (left, right) = weights.split_at_mut(in_prefix.len());
            let of_prefix = part(prefix.keys, in_prefix.clone(), width);
            logits::<L>(queries, of_prefix, offset, width, left);
            logits::<L>(queries, part(own.keys, in_own.clone(), width), offset, width, right);
            hide(weights, keys, &last);
            let factor = soften(weights, &mut highest, &mut totals);
            scale(sums, &factor);
            let (left, right) = weights.split_at(in_prefix.len());
            add_values::<L>(left, part(prefix.values, in_prefix, width), offset, width, sums);
            add_values::<L>(right, part(own.values, in_own, width), offset, width, sums);
        }
        scale(sums, &totals.map(|total| 1.0 / total));
        tile.write::<L>(sums, out);
    }
}

/// Rows of values side by side: lanes[i][lane] = rows[lane][i].
#[inline(always)]
fn to_lanes<L: Lanes>(rows: &[&[f32]; LANES], lanes: &mut [[f32; LANES]]) {
    let (squares, rest) = lanes.as_chunks_mut::<LANES>();
    for (index, square) in squares.iter_mut().enumerate() {
        let part = |lane: usize| &rows[lane].as_chunks().0[index];
        // SAFETY: `Backend::run` sees to the instructions of its lanes.
        #[allow(unsafe_code)]
        unsafe {
            let columns = L::transpose(each(|lane| L::load(part(lane))));
            columns.iter().zip(square).for_each(|(column, lanes)| column.store(lanes));
        }
    }
    let first = squares.len() * LANES;
    for (lanes, index) in rest.iter_mut().zip(first..) {
        *lanes = each(|lane| rows[lane][index]);
    }
}

/// The other way, of at most as many values as lanes: rows[lane][i] = lanes[i][lane].
#[inline(always)]
fn from_lanes<L: Lanes>(lanes: &[[f32; LANES]], rows: &mut [[f32; LANES]; LANES]) {
    match <&[[f32; LANES]; LANES]>::try_from(lanes) {
        // SAFETY: `Backend::run` sees to the instructions of its lanes.
        #[allow(unsafe_code)]
        Ok(square) => unsafe {
            let columns = L::transpose(each(|index| L::load(&square[index])));
            columns.iter().zip(rows).for_each(|(column, row)| column.store(row));
        },
        Err(_) => {
            for (index, lanes) in lanes.iter().enumerate() {
                for (row, value) in rows.iter_mut().zip(lanes) {
                    row[index] = *value;
                }
            }
        }
    }
}

/// The parts of a range before `at`, and from it on, counted from there.
#[inline(always)]
fn split(range: Range<usize>, at: usize) -> (Range<usize>, Range<usize>) {
    let before = range.start.min(at)..range.end.min(at);
    (before, range.start.max(at) - at..range.end.max(at) - at)
}

#[inline(always)]
fn part(values: &[f32], tokens: Range<usize>, width: usize) -> &[f32] {
    &values[tokens.start * width..tokens.end * width]
}

/// weights[key][lane] = Σᵢ keys[key][i] · queries[i][lane]; a key's values begin at `offset`.
#[inline(always)]
fn logits<L: Lanes>(
    queries: &[[f32; LANES]],
    keys: &[f32],
    offset: usize,
    width: usize,
    weights: &mut [[f32; LANES]],
) {
    let key = |index: usize| &keys[index * width + offset..][..queries.len()];
    let mut done = 0;
    if L::SUMS >= 8 {
        done = logits_by::<L, 8>(queries, key, weights, done);
    }
    if L::SUMS >= 4 {
        done = logits_by::<L, 4>(queries, key, weights, done);
    }
    done = logits_by::<L, 2>(queries, key, weights, done);
    logits_by::<L, 1>(queries, key, weights, done);
}

/// Logits of keys from `first` on, N at a time while there are so many; returns the first that is
/// left.
#[inline(always)]
#[allow(unsafe_code)]
fn logits_by<'a, L: Lanes, const N: usize>(
    queries: &[[f32; LANES]],
    key: impl Fn(usize) -> &'a [f32],
    weights: &mut [[f32; LANES]],
    first: usize,
) -> usize {
    let mut next = first;
    for weights in weights[first..].as_chunks_mut::<N>().0 {
        let keys: [&[f32]; N] = each(|n| &key(next + n)[..queries.len()]);
        // SAFETY: `Backend::run` chose L.
        unsafe {
            let mut sums: [L; N] = [L::splat(0.0); N];
            for (i, queries) in queries.iter().enumerate() {
                let queries = L::load(queries);
                sums = each(|n| sums[n].plus_product(L::splat(keys[n][i]), queries));
            }
            weights.iter_mut().zip(sums).for_each(|(weights, sums)| sums.store(weights));
        }
        next += N;
    }
    next
}

/// Leaves no weight to keys behind the last that a lane sees.
#[inline(always)]
fn hide(weights: &mut [[f32; LANES]], keys: Range<usize>, last: &[usize; LANES]) {
    // The first lane sees least: what it sees, all do.
    let unseen = keys.zip(weights).skip_while(|(key, _)| *key <= last[0]);
    for (key, weights) in unseen {
        for lane in 0..LANES {
            weights[lane] = if key > last[lane] { f32::NEG_INFINITY } else { weights[lane] };
        }
    }
}

/// values[i][lane] *= factor[lane]
#[inline(always)]
fn scale(values: &mut [[f32; LANES]], factor: &[f32; LANES]) {
    for values in values {
        for lane in 0..LANES {
            values[lane] *= factor[lane];
        }
    }
}

/// Turns a block's logits into weights, and returns by what factor earlier sums shrink.
#[inline(always)]
fn soften(
    weights: &mut [[f32; LANES]],
    highest: &mut [f32; LANES],
    totals: &mut [f32; LANES],
) -> [f32; LANES] {
    let before = *highest;
    for weights in weights.iter() {
        for lane in 0..LANES {
            let larger = weights[lane] > highest[lane];
            highest[lane] = if larger { weights[lane] } else { highest[lane] };
        }
    }
    let mut factor = [0.0; LANES];
    for lane in 0..LANES {
        factor[lane] = exp(before[lane] - highest[lane]);
        totals[lane] *= factor[lane];
    }
    for weights in weights.iter_mut() {
        for lane in 0..LANES {
            weights[lane] = exp(weights[lane] - highest[lane]);
            totals[lane] += weights[lane];
        }
    }
    factor
}

/// sums[i][lane] += Σ values[key][i] · weights[key][lane], key after key.
#[inline(always)]
fn add_values<L: Lanes>(
    weights: &[[f32; LANES]],
    values: &[f32],
    offset: usize,
    width: usize,
    sums: &mut [[f32; LANES]],
) {
    let mut done = 0;
    if L::SUMS >= 16 {
        done = add_values_by::<L, 16>(weights, values, offset, width, sums, done);
    }
    if L::SUMS >= 8 {
        done = add_values_by::<L, 8>(weights, values, offset, width, sums, done);
    }
    if L::SUMS >= 4 {
        done = add_values_by::<L, 4>(weights, values, offset, width, sums, done);
    }
    done = add_values_by::<L, 2>(weights, values, offset, width, sums, done);
    add_values_by::<L, 1>(weights, values, offset, width, sums, done);
}

/// Adds to the sums from `first` on, N at a time while there are so many; returns the first that is
/// left.
#[inline(always)]
#[allow(unsafe_code)]
fn add_values_by<L: Lanes, const N: usize>(
    weights: &[[f32; LANES]],
    values: &[f32],
    offset: usize,
    width: usize,
    sums: &mut [[f32; LANES]],
    first: usize,
) -> usize {
    let mut next = first;
    for sums in sums[first..].as_chunks_mut::<N>().0 {
        // SAFETY: `Backend::run` chose L.
        unsafe {
            let mut tile: [L; N] = each(|n| L::load(&sums[n]));
            for (weights, values) in weights.iter().zip(values.chunks_exact(width)) {
                let values: &[f32; N] =
                    values[offset + next..][..N].try_into().expect("N values: bug");
                let weights = L::load(weights);
                tile = each(|n| tile[n].plus_product(L::splat(values[n]), weights));
            }
            sums.iter_mut().zip(tile).for_each(|(sums, tile)| tile.store(sums));
        }
        next += N;
    }
    next
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// The formula in f64, over all keys that a query may see.
    fn naive(query: &[f32], keys: &[&[f32]], values: &[&[f32]]) -> Vec<f64> {
        let dot = |key: &[f32]| -> f64 {
            query.iter().zip(key).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let scale = (query.len() as f64).sqrt();
        let weights: Vec<f64> = keys.iter().map(|key| (dot(key) / scale).exp()).collect();
        let sum: f64 = weights.iter().sum();
        (0..query.len())
            .map(|i| {
                weights.iter().zip(values).map(|(w, v)| w * f64::from(v[i])).sum::<f64>() / sum
            })
            .collect()
    }

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 101) % 97) as f32 / 24.0 - 2.0).collect()
    }

    #[test]
    fn equals_the_formula_and_the_reference_to_the_bit() {
        for prefix in [0, 3, 127, 128, 129, 300] {
            // Sizes below, at and between multiples of the lanes.
            for head_dim in [8, 16, 40] {
                equals_the_formula_behind(prefix, Heads { heads: 4, kv_heads: 2, head_dim });
            }
        }
        // Heads to a key that leave lanes empty, and more than lanes.
        for heads in [1, 3, 5, 16, 17, 35] {
            equals_the_formula_behind(130, Heads { heads, kv_heads: 1, head_dim: 16 });
        }
    }

    fn equals_the_formula_behind(count: usize, shape: Heads) {
        let Heads { heads, kv_heads, head_dim } = shape;
        let (kv_width, width) = (kv_heads * head_dim, heads * head_dim);
        let (prefix_keys, prefix_values) =
            (numbers(count * kv_width, 1), numbers(count * kv_width, 2));
        let (keys, values) = (numbers(5 * kv_width, 3), numbers(5 * kv_width, 4));
        let queries = numbers(5 * width, 5);
        let rows =
            [(0, 0), (0, 1), (2, 2), (2, 3), (2, 4)].map(|(start, token)| Query { start, token });
        let prefix = KeysValues { keys: &prefix_keys, values: &prefix_values };
        let own = KeysValues { keys: &keys, values: &values };
        let on = |backend| {
            let mut out = vec![0.0; 5 * width];
            attention_on(backend, shape, &queries, &rows, prefix, own, &mut out);
            out
        };
        let out = on(Backend::SCALAR);
        for backend in Backend::available() {
            let same = on(backend).iter().zip(&out).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{shape:?} behind {count} differs on {backend:?}");
        }
        for (row, Query { start, token }) in rows.into_iter().enumerate() {
            for head in 0..heads {
                let first = |t: usize| t * kv_width + head / (heads / kv_heads) * head_dim;
                let before = (0..count).map(|t| (first(t), prefix));
                let seen = before.chain((start..=token).map(|t| (first(t), own)));
                let (keys, values): (Vec<_>, Vec<_>) = seen
                    .map(|(at, of)| (&of.keys[at..][..head_dim], &of.values[at..][..head_dim]))
                    .unzip();
                let first = row * width + head * head_dim;
                let range = first..first + head_dim;
                let expected = naive(&queries[range.clone()], &keys, &values);
                for (value, expected) in out[range].iter().zip(expected) {
                    assert!((f64::from(*value) - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let shape = Heads { heads: 1, kv_heads: 1, head_dim: 2 };
        let empty = KeysValues { keys: &[], values: &[] };
        let own = KeysValues { keys: &[1e3, 0.0, 0.0, 1e3], values: &[1.0, 2.0, 3.0, 4.0] };
        let mut out = [0.0; 2];
        attention(shape, &[1e3, 0.0], &[Query { start: 0, token: 1 }], empty, own, &mut out);
        assert_eq!(out, [1.0, 2.0]);
    }
}

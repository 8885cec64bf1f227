//! The products with keys and values, of all lanes at once.
//!
//! N sums stay in registers: as many as the instruction set has registers for, then half as many for
//! the rest, and so on.

use crate::kernel::lanes::{LANES, Lanes, array_from_fn};

/// weights[key][lane] = Σᵢ keys[key][i] · queries[i][lane]; a key's values start at
/// `offset` of its `width`.
#[inline(always)]
pub fn logits<L: Lanes>(
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

/// Logits of keys from `first` on, N at a time while N are left; returns the first that is left.
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
        let keys: [&[f32]; N] = array_from_fn(|n| &key(next + n)[..queries.len()]);
        // SAFETY: `Isa::run` chose L for instructions that the processor has.
        unsafe {
            let mut sums: [L; N] = [L::splat(0.0); N];
            for (i, queries) in queries.iter().enumerate() {
                let queries = L::load(queries);
                sums = array_from_fn(|n| sums[n].plus_product(L::splat(keys[n][i]), queries));
            }
            weights.iter_mut().zip(sums).for_each(|(weights, sums)| sums.store(weights));
        }
        next += N;
    }
    next
}

/// sums[i][lane] += Σ values[key][i] · weights[key][lane], key after key.
#[inline(always)]
pub fn add_values<L: Lanes>(
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

/// Adds to the sums from `first` on, N at a time while N are left; returns the first that is left.
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
        // SAFETY: `Isa::run` chose L for instructions that the processor has.
        unsafe {
            let mut tile: [L; N] = array_from_fn(|n| L::load(&sums[n]));
            for (weights, values) in weights.iter().zip(values.chunks_exact(width)) {
                let values: &[f32; N] =
                    values[offset + next..][..N].try_into().expect("N values: bug");
                let weights = L::load(weights);
                tile = array_from_fn(|n| tile[n].plus_product(L::splat(values[n]), weights));
            }
            sums.iter_mut().zip(tile).for_each(|(sums, tile)| tile.store(sums));
        }
        next += N;
    }
    next
}

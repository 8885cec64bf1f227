//! Causal attention of ragged documents behind a shared prefix.

use super::{dot, for_each_chunk};

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
#[derive(Clone, Copy, Debug)]
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
    let width = shape.heads * shape.head_dim;
    let kv_width = shape.kv_heads * shape.head_dim;
    assert_eq!(queries.len(), rows.len() * width);
    assert_eq!(out.len(), queries.len());
    assert_eq!(prefix.keys.len(), prefix.values.len());
    assert_eq!(own.keys.len(), own.values.len());
    for_each_chunk(out, width, |index, out| {
        let Query { start, token } = rows[index];
        let document = start * kv_width..(token + 1) * kv_width;
        let document =
            KeysValues { keys: &own.keys[document.clone()], values: &own.values[document] };
        let queries = &queries[index * width..(index + 1) * width];
        let mut weights = Vec::new();
        for head in 0..shape.heads {
            let range = head * shape.head_dim..(head + 1) * shape.head_dim;
            let kv = (head / (shape.heads / shape.kv_heads)) * shape.head_dim;
            let parts = [prefix, document];
            attend(&queries[range.clone()], parts, kv, kv_width, &mut weights, &mut out[range]);
        }
    });
}

/// One head of one query: softmax(q · keys / √head_dim) · values over both parts.
/// `offset` is the head's place in a token's keys; `weights` is scratch.
fn attend(
    query: &[f32],
    parts: [KeysValues<'_>; 2],
    offset: usize,
    kv_width: usize,
    weights: &mut Vec<f32>,
    out: &mut [f32],
) {
    let head_dim = query.len();
    let scale = 1.0 / (head_dim as f32).sqrt();
    weights.clear();
    for part in parts {
        let keys = part.keys.chunks_exact(kv_width);
        weights.extend(keys.map(|token| dot(query, &token[offset..offset + head_dim]) * scale));
    }
    let highest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for weight in weights.iter_mut() {
        *weight = libm::expf(*weight - highest);
        sum += *weight;
    }
    out.fill(0.0);
    let values = parts.into_iter().flat_map(|part| part.values.chunks_exact(kv_width));
    for (token, weight) in values.zip(weights.iter()) {
        for (out, value) in out.iter_mut().zip(&token[offset..offset + head_dim]) {
            *out += weight * value;
        }
    }
    let norm = 1.0 / sum;
    out.iter_mut().for_each(|value| *value *= norm);
}

#[cfg(test)]
mod tests {
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
    fn equals_the_formula_for_ragged_documents() {
        let shape = Heads { heads: 4, kv_heads: 2, head_dim: 8 };
        let (prefix_keys, prefix_values) = (numbers(3 * 16, 1), numbers(3 * 16, 2));
        let (keys, values) = (numbers(5 * 16, 3), numbers(5 * 16, 4));
        let queries = numbers(5 * 32, 5);
        let rows =
            [(0, 0), (0, 1), (2, 2), (2, 3), (2, 4)].map(|(start, token)| Query { start, token });
        let mut out = vec![0.0; 5 * 32];
        let prefix = KeysValues { keys: &prefix_keys, values: &prefix_values };
        let own = KeysValues { keys: &keys, values: &values };
        attention(shape, &queries, &rows, prefix, own, &mut out);
        for (row, Query { start, token }) in rows.into_iter().enumerate() {
            for head in 0..4 {
                let place = |t: usize| t * 16 + head / 2 * 8..t * 16 + head / 2 * 8 + 8;
                let seen = |prefix: &'static [f32], own: &'static [f32]| {
                    let own = (start..=token).map(move |t| &own[place(t)]);
                    (0..3).map(move |t| &prefix[place(t)]).chain(own).collect::<Vec<_>>()
                };
                let leak = |v: &Vec<f32>| -> &'static [f32] { v.clone().leak() };
                let range = row * 32 + head * 8..row * 32 + head * 8 + 8;
                let expected = naive(
                    &queries[range.clone()],
                    &seen(leak(&prefix_keys), leak(&keys)),
                    &seen(leak(&prefix_values), leak(&values)),
                );
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

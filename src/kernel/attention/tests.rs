//! Attention against the formula in f64, on every instruction set.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::attend::{attention, attention_on};
use super::shape::{AttentionShape, KeysValues, TokenPosition};
use crate::kernel::isa::Isa;
use crate::kernel::select;

/// The formula in f64, over all keys that a query may see.
fn naive(query: &[f32], keys: &[&[f32]], values: &[&[f32]]) -> Vec<f64> {
    let dot = |key: &[f32]| -> f64 {
        query.iter().zip(key).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let scale = (query.len() as f64).sqrt();
    let weights: Vec<f64> = keys.iter().map(|key| (dot(key) / scale).exp()).collect();
    let sum: f64 = weights.iter().sum();
    (0..query.len())
        .map(|i| weights.iter().zip(values).map(|(w, v)| w * f64::from(v[i])).sum::<f64>() / sum)
        .collect()
}

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + seed * 101) % 97) as f32 / 24.0 - 2.0).collect()
}

#[test]
fn equals_the_formula_and_the_reference_to_the_bit() {
    if cfg!(miri) {
        return equals_the_formula_behind(
            129,
            AttentionShape { heads: 3, kv_heads: 1, head_dim: 24 },
        );
    }
    for prefix in [0, 3, 127, 128, 129, 300] {
        // Sizes below, at and between multiples of the number of lanes.
        for head_dim in [8, 16, 40] {
            equals_the_formula_behind(prefix, AttentionShape { heads: 4, kv_heads: 2, head_dim });
        }
    }
    // Query heads to a key head that leave lanes unused, and more of them than lanes.
    for heads in [1, 3, 5, 16, 17, 35] {
        equals_the_formula_behind(130, AttentionShape { heads, kv_heads: 1, head_dim: 16 });
    }
}

fn equals_the_formula_behind(count: usize, shape: AttentionShape) {
    let AttentionShape { heads, kv_heads, head_dim } = shape;
    let (kv_width, width) = (kv_heads * head_dim, heads * head_dim);
    let (prefix_keys, prefix_values) = (numbers(count * kv_width, 1), numbers(count * kv_width, 2));
    let (keys, values) = (numbers(5 * kv_width, 3), numbers(5 * kv_width, 4));
    let queries = numbers(5 * width, 5);
    let rows = [(0, 0), (0, 1), (2, 2), (2, 3), (2, 4)]
        .map(|(start, token)| TokenPosition { start, token });
    let prefix = KeysValues { keys: &prefix_keys, values: &prefix_values };
    let own = KeysValues { keys: &keys, values: &values };
    let on = |isa| {
        let mut out = vec![0.0; 5 * width];
        attention_on(isa, shape, &queries, &rows, prefix, own, &mut out);
        out
    };
    let out = on(Isa::SCALAR);
    for isa in select::available() {
        let same = on(isa).iter().zip(&out).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{shape:?} behind {count} differs on {isa:?}");
    }
    for (row, TokenPosition { start, token }) in rows.into_iter().enumerate() {
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
    let shape = AttentionShape { heads: 1, kv_heads: 1, head_dim: 2 };
    let empty = KeysValues { keys: &[], values: &[] };
    let own = KeysValues { keys: &[1e3, 0.0, 0.0, 1e3], values: &[1.0, 2.0, 3.0, 4.0] };
    let mut out = [0.0; 2];
    attention(shape, &[1e3, 0.0], &[TokenPosition { start: 0, token: 1 }], empty, own, &mut out);
    assert_eq!(out, [1.0, 2.0]);
}

#[test]
fn sums_shrink_when_a_later_block_has_the_largest_logit() {
    let shape = AttentionShape { heads: 1, kv_heads: 1, head_dim: 2 };
    // Logits that grow by 1/100 a key, over three blocks of keys.
    let keys: Vec<f32> = (0..300).flat_map(|key| [key as f32 / 50.0, 0.0]).collect();
    let (values, query) = (numbers(600, 1), [0.5_f32.sqrt(), 0.0]);
    let own = KeysValues { keys: &keys, values: &values };
    let empty = KeysValues { keys: &[], values: &[] };
    let mut out = [0.0; 2];
    attention(shape, &query, &[TokenPosition { start: 0, token: 299 }], empty, own, &mut out);
    let (keys, values): (Vec<&[f32]>, Vec<&[f32]>) =
        (keys.chunks(2).collect(), values.chunks(2).collect());
    let expected = naive(&query, &keys, &values);
    for (value, expected) in out.iter().zip(expected) {
        assert!((f64::from(*value) - expected).abs() < 1e-5, "{value}, not {expected}");
    }
}

//! Prompts to token-bounded batches.
//!
//! The prompts of one request begin alike (template, instruction, query), so a
//! batch holds only what follows that prefix.

use std::collections::VecDeque;

use crate::model::{Batch, PrefixHit};

/// Takes the next sequences, in order, into a batch of at most `limit` tokens. Each follows
/// `prefix` and then `repeated`; a longer one has a batch to itself. `None` if none is left.
pub fn next_batch(
    sequences: &mut VecDeque<Vec<u32>>,
    prefix: &PrefixHit,
    repeated: &[u32],
    limit: usize,
) -> Option<Batch> {
    let mut batch = Batch::default();
    while let Some(sequence) = sequences.front() {
        let tokens = repeated.len() + sequence.len();
        if !batch.segments.is_empty() && batch.ids.len() + tokens > limit {
            break;
        }
        batch.push(&[repeated, sequence].concat(), prefix.clone());
        sequences.pop_front();
    }
    (!batch.segments.is_empty()).then_some(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_order_and_limit() {
        let sequences: VecDeque<Vec<u32>> =
            [3, 2, 9, 1, 1].iter().map(|&n| (0..n).collect()).collect();
        let batches = |repeated: &[u32], limit| {
            let (mut left, prefix) = (sequences.clone(), PrefixHit::default());
            let next = || next_batch(&mut left, &prefix, repeated, limit);
            std::iter::from_fn(next).collect::<Vec<_>>()
        };
        let lengths = |batches: &[Batch]| -> Vec<Vec<usize>> {
            batches.iter().map(|b| b.segments.iter().map(|s| s.tokens.len()).collect()).collect()
        };
        let plain = batches(&[], 5);
        assert_eq!(lengths(&plain), [vec![3, 2], vec![9], vec![1, 1]]);
        let repeated = batches(&[7, 8], 9);
        assert_eq!(lengths(&repeated), [vec![5, 4], vec![11], vec![3, 3]]);
        assert_eq!(repeated[2].ids, [7, 8, 0, 7, 8, 0]);
        let batches = [plain, repeated].concat();
        for batch in &batches {
            assert_eq!(batch.segments.last().unwrap().tokens.end, batch.ids.len());
        }
    }
}

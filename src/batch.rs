//! Documents to token-bounded ragged batches.
//!
//! The prompts of one request start alike (frame, instruction, query), so a
//! batch holds only what follows that shared prefix, laid end to end without padding.

use std::ops::Range;

/// Sequences laid end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Ids of all sequences, one behind the other.
    pub ids: Vec<u32>,
    /// Where each sequence lies in `ids`; none is empty.
    pub segments: Vec<Range<usize>>,
}

impl Batch {
    /// One sequence alone.
    pub fn single(ids: &[u32]) -> Self {
        let mut batch = Self::default();
        batch.push(ids);
        batch
    }

    fn push(&mut self, ids: &[u32]) {
        let start = self.ids.len();
        self.ids.extend_from_slice(ids);
        self.segments.push(start..self.ids.len());
    }
}

/// How many leading ids all sequences share, leaving each at least one of its own.
pub fn shared_prefix(sequences: &[Vec<u32>]) -> usize {
    let Some((first, rest)) = sequences.split_first() else { return 0 };
    let common = rest.iter().fold(first.len(), |common, sequence| {
        let same = first[..common].iter().zip(sequence).take_while(|(a, b)| a == b).count();
        same.min(common)
    });
    let shortest = sequences.iter().map(Vec::len).min().unwrap_or(0);
    common.min(shortest.saturating_sub(1))
}

/// Packs sequences, in order, into batches of at most `limit` tokens; a longer
/// sequence has a batch to itself.
pub fn pack(sequences: &[Vec<u32>], limit: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for sequence in sequences {
        match batches.last_mut() {
            Some(batch) if batch.ids.len() + sequence.len() <= limit => batch.push(sequence),
            _ => batches.push(Batch::single(sequence)),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_leaves_every_sequence_a_token() {
        let sequences = |lists: &[&[u32]]| lists.iter().map(|l| l.to_vec()).collect::<Vec<_>>();
        assert_eq!(shared_prefix(&sequences(&[&[1, 2, 3, 4], &[1, 2, 5]])), 2);
        assert_eq!(shared_prefix(&sequences(&[&[1, 2, 3], &[1, 2]])), 1);
        assert_eq!(shared_prefix(&sequences(&[&[1, 2, 3]])), 2);
        assert_eq!(shared_prefix(&sequences(&[&[1, 2], &[2, 2]])), 0);
        assert_eq!(shared_prefix(&[]), 0);
    }

    #[test]
    fn batches_keep_order_and_limit() {
        let sequences: Vec<Vec<u32>> = [3, 2, 9, 1, 1].iter().map(|&n| (0..n).collect()).collect();
        let batches = pack(&sequences, 5);
        let lengths: Vec<Vec<usize>> =
            batches.iter().map(|b| b.segments.iter().map(Range::len).collect()).collect();
        assert_eq!(lengths, [vec![3, 2], vec![9], vec![1, 1]]);
        for batch in &batches {
            assert_eq!(batch.segments.last().unwrap().end, batch.ids.len());
        }
    }
}

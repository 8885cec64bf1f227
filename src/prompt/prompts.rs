//! A request's prompts as ids: what they share, and what each document adds.

use std::collections::HashMap;

use crate::Warning;

/// The prompts of one request. Documents with equal prompts have one sequence.
pub struct Prompts {
    /// Ids that every prompt begins with.
    pub shared: Vec<u32>,
    /// What follows them, without repetitions; none is empty.
    pub sequences: Vec<Vec<u32>>,
    /// By document: its sequence, and whether it was cut.
    pub documents: Vec<(usize, bool)>,
    /// What the caller should know of.
    pub warnings: Vec<Warning>,
}

/// Prompts, document by document.
pub struct Collector {
    /// Sequences and their places in [`Prompts::sequences`].
    places: HashMap<Vec<u32>, usize>,
    documents: Vec<(usize, bool)>,
}

impl Collector {
    /// For so many documents.
    pub fn new(documents: usize) -> Self {
        Self { places: HashMap::new(), documents: Vec::with_capacity(documents) }
    }

    /// Number of documents taken so far.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Takes the ids of the next document.
    pub fn push(&mut self, ids: Vec<u32>, truncated: bool) {
        let next = self.places.len();
        let place = *self.places.entry(ids).or_insert(next);
        self.documents.push((place, truncated));
    }

    /// The prompts. `before` precedes all sequences; without it, what they share is looked for.
    pub fn finish(self, before: Option<Vec<u32>>, mut warnings: Vec<Warning>) -> Prompts {
        let mut sequences = vec![Vec::new(); self.places.len()];
        for (ids, place) in self.places {
            sequences[place] = ids;
        }
        let shared = before.unwrap_or_else(|| {
            let shared = shared_prefix(&sequences);
            let ids = sequences[0][..shared].to_vec();
            for sequence in &mut sequences {
                sequence.drain(..shared);
            }
            ids
        });
        for (index, &(sequence, truncated)) in self.documents.iter().enumerate() {
            if truncated {
                let tokens = shared.len() + sequences[sequence].len();
                warnings.push(Warning::Truncated { index, tokens });
            }
        }
        Prompts { shared, sequences, documents: self.documents, warnings }
    }
}

/// How many leading ids all sequences share, leaving each at least one of its own.
fn shared_prefix(sequences: &[Vec<u32>]) -> usize {
    let Some((first, rest)) = sequences.split_first() else { return 0 };
    let common = rest.iter().fold(first.len(), |common, sequence| {
        let same = first[..common].iter().zip(sequence).take_while(|(a, b)| a == b).count();
        same.min(common)
    });
    let shortest = sequences.iter().map(Vec::len).min().unwrap_or(0);
    common.min(shortest.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

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
}

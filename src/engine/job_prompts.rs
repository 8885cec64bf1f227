//! What a job has left to score of its prompts, and what it needs to rank their documents.

use std::collections::VecDeque;

use crate::api::{Ranked, Score, Warning};
use crate::prompt::prompts::Prompts;
use crate::{Error, Result};

/// The prompts of a job. Documents with equal prompts share one sequence.
#[derive(Default)]
pub struct JobPrompts {
    /// Number of ids that all prompts begin with.
    pub shared: usize,
    /// The last of them, which go with every document: keys and values of so many are not kept.
    pub repeated: Vec<u32>,
    /// The ids that follow, of the sequences that are not yet in a batch.
    pub sequences: VecDeque<Vec<u32>>,
    /// By sequence: number of ids of its own, and of documents that have this sequence.
    pub sizes: Vec<(usize, usize)>,
    /// By document: its sequence, and whether it was cut.
    pub documents: Vec<(usize, bool)>,
    /// What the caller should know.
    pub warnings: Vec<Warning>,
}

impl JobPrompts {
    /// Splits what all prompts begin with: at most `max_prefix` ids, which are returned, become a
    /// prefix, the rest goes with every document.
    pub fn new(prompts: Prompts, max_prefix: usize) -> (Self, Vec<u32>) {
        let Prompts { mut shared, sequences, documents, warnings } = prompts;
        let mut sizes: Vec<_> = sequences.iter().map(|sequence| (sequence.len(), 0)).collect();
        for &(sequence, _) in &documents {
            sizes[sequence].1 += 1;
        }
        let count = shared.len();
        let repeated = shared.split_off(count.min(max_prefix));
        let sequences = sequences.into();
        (Self { shared: count, repeated, sequences, sizes, documents, warnings }, shared)
    }

    /// Number of documents that have one of these sequences.
    pub fn documents_of(&self, sequences: std::ops::Range<usize>) -> usize {
        self.sizes[sequences].iter().map(|(_, copies)| copies).sum()
    }

    /// Tokens of each document's whole prompt, in the order of the request.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        self.documents.iter().map(|(sequence, _)| self.shared + self.sizes[*sequence].0)
    }

    /// The documents with their scores, in the order of the request.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if one of `margins`, which are by sequence, is not finite.
    pub fn scored(&self, margins: &[f32]) -> Result<Vec<Ranked>> {
        let documents = self.documents.iter().zip(self.lengths()).enumerate();
        let scored = documents.map(|(index, (&(sequence, truncated), tokens))| {
            let score = Score::new(margins[sequence], tokens, truncated);
            Ok(Ranked { index, score: score.ok_or(Error::NotFinite { index })? })
        });
        scored.collect()
    }
}

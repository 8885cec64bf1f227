//! Which token each row of a batch is, where it stands in its prompt, and what precedes it.

use std::ops::Range;

use crate::kernel::TokenPosition;
use crate::model::batch::Segment;
use crate::model::kv_prefix::PrefixHit;

/// The rows of a batch, in the order of its tokens.
pub struct Rows {
    /// By row: its token and its segment's first token, as indices into the batch.
    tokens: Vec<TokenPosition>,
    /// By row: its position in its prompt, counted from 0.
    positions: Vec<usize>,
    /// Consecutive rows that follow the same prefix.
    runs: Vec<PrefixRun>,
}

/// Consecutive rows that follow the same prefix.
#[derive(Clone)]
pub struct PrefixRun {
    /// The rows.
    pub rows: Range<usize>,
    /// What precedes their segments.
    pub prefix: PrefixHit,
}

impl Rows {
    /// One row for every token of `segments`.
    pub fn all(segments: &[Segment]) -> Self {
        let mut rows = Self { tokens: Vec::new(), positions: Vec::new(), runs: Vec::new() };
        for Segment { tokens, prefix, .. } in segments {
            for token in tokens.clone() {
                let start = tokens.start;
                rows.push(TokenPosition { start, token }, prefix.tokens + token - start, prefix);
            }
        }
        rows
    }

    /// Only the rows at these indices, which ascend.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut rows = Self { tokens: Vec::new(), positions: Vec::new(), runs: Vec::new() };
        let mut runs = self.runs.iter();
        let mut run = runs.next();
        for &row in indices {
            while run.is_some_and(|run| run.rows.end <= row) {
                run = runs.next();
            }
            let prefix = &run.expect("every row is in a run: bug").prefix;
            rows.push(self.tokens[row], self.positions[row], prefix);
        }
        rows
    }

    fn push(&mut self, token: TokenPosition, position: usize, prefix: &PrefixHit) {
        let row = self.tokens.len();
        self.tokens.push(token);
        self.positions.push(position);
        match self.runs.last_mut() {
            Some(run) if run.prefix.is_same(prefix) => run.rows.end = row + 1,
            _ => self.runs.push(PrefixRun { rows: row..row + 1, prefix: prefix.clone() }),
        }
    }

    /// The token of each of these rows.
    pub fn tokens(&self, rows: Range<usize>) -> &[TokenPosition] {
        &self.tokens[rows]
    }

    /// A row's position in its prompt.
    pub fn position(&self, row: usize) -> usize {
        self.positions[row]
    }

    /// The range that all positions lie in.
    pub fn positions(&self) -> Range<usize> {
        let first = self.positions.iter().min().copied().unwrap_or(0);
        first..self.positions.iter().max().map_or(first, |last| last + 1)
    }

    /// The runs within `rows`, each cut to them.
    pub fn runs(&self, rows: Range<usize>) -> impl Iterator<Item = PrefixRun> {
        let cut = move |run: &PrefixRun| {
            let rows = run.rows.start.max(rows.start)..run.rows.end.min(rows.end);
            (!rows.is_empty()).then(|| PrefixRun { rows, prefix: run.prefix.clone() })
        };
        self.runs.iter().filter_map(cut)
    }
}

//! What a forward pass takes: tokens of several prompts laid end to end, without padding.

use std::ops::Range;

use super::kv_prefix::PrefixHit;

/// Segments laid end to end.
#[derive(Clone, Default)]
pub struct Batch {
    /// Ids of all segments, end to end.
    pub ids: Vec<u32>,
    /// The segments, in the order of `ids`.
    pub segments: Vec<Segment>,
}

/// Consecutive tokens of one prompt, which follow a prefix of their own.
#[derive(Clone)]
pub struct Segment {
    /// Where its tokens lie in the batch's ids; not empty.
    pub tokens: Range<usize>,
    /// The tokens before it, whose keys and values are known.
    pub prefix: PrefixHit,
    /// Whether its last token is scored.
    pub scored: bool,
    /// Leading tokens, those of `prefix` included, whose keys and values are recorded for later
    /// passes; 0 for none.
    pub recorded: usize,
}

impl Batch {
    /// Adds a segment, which is scored and not recorded.
    pub fn push(&mut self, ids: &[u32], prefix: PrefixHit) -> &mut Segment {
        let start = self.ids.len();
        self.ids.extend_from_slice(ids);
        let tokens = start..self.ids.len();
        self.segments.push(Segment { tokens, prefix, scored: true, recorded: 0 });
        self.segments.last_mut().expect("it was just pushed: bug")
    }

    /// A batch of one segment.
    pub fn single(ids: &[u32], prefix: PrefixHit) -> Self {
        let mut batch = Self::default();
        batch.push(ids, prefix);
        batch
    }
}

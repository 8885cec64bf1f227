//! Byte-pair encoding of one word: the merge of best rank first, of equal ones the leftmost.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What two adjacent tokens merge into.
#[derive(Clone, Copy, Debug)]
struct Merge {
    rank: u32,
    id: u32,
}

/// The merges of a vocabulary.
pub struct Merges {
    /// By the ids of both tokens.
    table: HashMap<(u32, u32), Merge, BuildHasherDefault<PairHasher>>,
    /// The token of each byte.
    bytes: [u32; 256],
}

/// A token of a word that is being merged, and its merge with the next one.
#[derive(Clone, Copy)]
struct Part {
    id: u32,
    /// [`NO_MERGE`] if there is none.
    rank: u32,
    merged: u32,
}

const NO_MERGE: u32 = u32::MAX;

impl Merges {
    /// `merges` as left, right and merged id, best rank first; of two with the same left and
    /// right, the last counts, as in the tokenizers crate.
    pub fn new(bytes: [u32; 256], merges: impl Iterator<Item = (u32, u32, u32)>) -> Self {
        let entry = |(rank, (left, right, id)): (usize, _)| {
            ((left, right), Merge { rank: rank as u32, id })
        };
        Self { table: merges.enumerate().map(entry).collect(), bytes }
    }

    /// Appends the ids of `word`. Takes time of the square of its length.
    pub fn encode(&self, word: &[u8], ids: &mut Vec<u32>) {
        let mut parts: Vec<Part> = word
            .iter()
            .map(|&byte| Part { id: self.bytes[byte as usize], rank: NO_MERGE, merged: 0 })
            .collect();
        for at in 0..parts.len() {
            self.look_up(&mut parts, at);
        }
        while let Some(at) = first_best(&parts) {
            parts[at].id = parts[at].merged;
            parts.remove(at + 1);
            self.look_up(&mut parts, at);
            if at > 0 {
                self.look_up(&mut parts, at - 1);
            }
        }
        ids.extend(parts.iter().map(|part| part.id));
    }

    /// Sets the merge of a part with the next one.
    fn look_up(&self, parts: &mut [Part], at: usize) {
        let next = parts.get(at + 1);
        let merge = next.and_then(|next| self.table.get(&(parts[at].id, next.id)));
        (parts[at].rank, parts[at].merged) =
            merge.map_or((NO_MERGE, 0), |merge| (merge.rank, merge.id));
    }
}

/// The leftmost part whose merge has the best rank.
fn first_best(parts: &[Part]) -> Option<usize> {
    let best = parts.iter().map(|part| part.rank).min().filter(|&rank| rank != NO_MERGE)?;
    parts.iter().position(|part| part.rank == best)
}

/// Hashes two ids. The keys are a model file's, so nobody gains by making them collide.
#[derive(Default)]
pub struct PairHasher(u64);

impl Hasher for PairHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn write_u32(&mut self, id: u32) {
        // Fibonacci hashing: the upper bits depend on all lower ones.
        let mixed = (self.0.rotate_left(32) ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

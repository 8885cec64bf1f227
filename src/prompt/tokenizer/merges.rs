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

/// In place of a rank: the two do not merge.
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
        let mut tokens: Vec<u32> = word.iter().map(|&byte| self.bytes[byte as usize]).collect();
        // Of each token with the next one; apart from the ids, as each merge looks at all of them.
        let mut ranks: Vec<u32> = (0..tokens.len()).map(|at| self.rank(&tokens, at)).collect();
        while let Some(best) = ranks.iter().copied().min().filter(|&rank| rank != NO_MERGE) {
            let at = ranks.iter().position(|&rank| rank == best).expect("it is there: bug");
            tokens[at] = self.table[&(tokens[at], tokens[at + 1])].id;
            tokens.remove(at + 1);
            ranks.remove(at + 1);
            ranks[at] = self.rank(&tokens, at);
            if at > 0 {
                ranks[at - 1] = self.rank(&tokens, at - 1);
            }
        }
        ids.append(&mut tokens);
    }

    /// The rank of the merge of a token with the next one, or [`NO_MERGE`].
    fn rank(&self, tokens: &[u32], at: usize) -> u32 {
        let next = tokens.get(at + 1);
        let merge = next.and_then(|&next| self.table.get(&(tokens[at], next)));
        merge.map_or(NO_MERGE, |merge| merge.rank)
    }
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

//! Byte-pair encoding of a word that comes in fragments.

use super::bpe::Bpe;
use super::long_word::LongWord;

/// Most bytes of a word that is merged as a whole.
const SHORT: usize = 256;

/// A word that comes in fragments.
pub struct Word {
    /// The word so far, if it is short.
    short: Vec<u8>,
    long: Option<LongWord>,
    /// Most bytes of a long word that are kept.
    most: usize,
}

impl Word {
    /// See [`LongWord::new`].
    pub fn new(most: usize) -> Self {
        Self { short: Vec::new(), long: None, most }
    }

    /// Takes the next bytes of the word; appends ids that are certain, and all if it `ends`.
    pub fn push(&mut self, bytes: &[u8], ends: bool, bpe: &Bpe, ids: &mut Vec<u32>) {
        if self.long.is_none() && self.short.len() + bytes.len() > SHORT {
            let long = self.long.insert(LongWord::new(self.most));
            long.push(&self.short, bpe, ids);
            self.short.clear();
        }
        match &mut self.long {
            Some(long) => long.push(bytes, bpe, ids),
            None => self.short.extend_from_slice(bytes),
        }
        if ends {
            bpe.merges.encode(&self.short, ids);
            self.short.clear();
            if let Some(mut long) = self.long.take() {
                long.finish(bpe, ids);
            }
        }
    }
}

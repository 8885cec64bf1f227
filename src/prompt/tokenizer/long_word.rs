//! Byte-pair encoding of a word that comes in fragments, in linear time.
//!
//! Merging a word as a whole takes memory of its length, and which tokens it begins with is not
//! known before its end. Two facts about merging in order of rank make do with less, whatever
//! the merges are:
//!
//! * Between two neighbouring tokens of a result no merge was made, so each run of neighbours is
//!   what its own bytes give.
//! * If each two neighbours of a sequence are what their own bytes give, then so is the whole
//!   sequence: the first merge across a border would be made in those two alone as well.
//!
//! So the result of each beginning of the word is that of a shorter beginning and one token more,
//! the one token that is the result of its own bytes together with the token before it. This
//! finds it for every beginning, and gives tokens out once all results that the word could still
//! have begin with them.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::bpe::Bpe;
use super::lexicon::Lexicon;
use super::merges::PairHasher;

/// Bytes between two searches for tokens that can be given out.
const INTERVAL: usize = 4 << 10;
/// Most pairs of tokens whose results are remembered.
const MAX_PAIRS: usize = 1 << 15;
/// In place of an id: there is no token.
const NONE: u32 = u32::MAX;

/// A word whose end is not known.
pub struct LongWord {
    /// What was not given out.
    bytes: Vec<u8>,
    /// The last token of the result of each beginning of `bytes`; the first is that of no
    /// bytes, the last token that was given out.
    last: Vec<u32>,
    /// Tokens that begin before here are in `last`.
    done: usize,
    /// Length of `bytes` at which to look for tokens that can be given out.
    next_search: usize,
    /// Whether two tokens are what their bytes give.
    pairs: HashMap<(u32, u32), bool, BuildHasherDefault<PairHasher>>,
    /// By token, where it last preceded others.
    visits: HashMap<u32, Visit, BuildHasherDefault<PairHasher>>,
    /// Most bytes that are kept.
    most: usize,
}

/// A place of the word, by the token before it.
#[derive(Default)]
struct Visit {
    at: Option<usize>,
    /// The tokens that begin there in results.
    followers: Vec<u32>,
}

impl LongWord {
    /// About `most` bytes are kept; if even the first token depends on what comes behind them,
    /// the word is taken to end there.
    pub fn new(most: usize) -> Self {
        let (bytes, last) = (Vec::new(), vec![NONE]);
        let (pairs, visits) = (HashMap::default(), HashMap::default());
        Self { bytes, last, done: 0, next_search: INTERVAL, pairs, visits, most }
    }

    /// Takes the next bytes, and appends the ids that are certain.
    pub fn push(&mut self, bytes: &[u8], bpe: &Bpe, ids: &mut Vec<u32>) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() < self.next_search {
            return;
        }
        // A token that begins further on may end beyond what is there.
        self.fill((self.bytes.len() + 1).saturating_sub(bpe.lexicon.longest()), bpe);
        self.give(self.certain(&bpe.lexicon), &bpe.lexicon, ids);
        if self.bytes.len() > self.most {
            self.finish(bpe, ids);
        }
        // A search looks at all that is kept, so it waits until that has doubled.
        self.next_search = self.bytes.len() + INTERVAL.max(self.bytes.len());
    }

    /// Appends the ids of the rest.
    pub fn finish(&mut self, bpe: &Bpe, ids: &mut Vec<u32>) {
        self.fill(self.bytes.len(), bpe);
        self.give(self.bytes.len(), &bpe.lexicon, ids);
    }

    /// Finds the results that tokens beginning before `end` complete.
    fn fill(&mut self, end: usize, bpe: &Bpe) {
        self.last.resize(self.bytes.len() + 1, NONE);
        for at in self.done..end {
            let before = self.last[at];
            let ahead = |at: usize| self.bytes[at..].get(..bpe.lexicon.longest());
            let visit = self.visits.entry(before).or_default();
            // The same tokens follow as where the same token preceded the same bytes.
            let known = ahead(at).is_some() && visit.at.and_then(ahead) == ahead(at);
            if !known {
                visit.followers.clear();
                for id in bpe.lexicon.prefixes(&self.bytes[at..]) {
                    let place = at + bpe.lexicon.token(id).len();
                    if self.last[place] == NONE && are_neighbours(&mut self.pairs, before, id, bpe)
                    {
                        visit.followers.push(id);
                    }
                }
            }
            visit.at = Some(at);
            for &id in &visit.followers {
                self.last[at + bpe.lexicon.token(id).len()] = id;
            }
        }
        self.done = self.done.max(end);
    }

    /// The end of what all results of the word have in common, of the results known.
    fn certain(&self, lexicon: &Lexicon) -> usize {
        // Each result has a border among the last places, none being jumped over.
        let mut live = vec![false; self.done + 1];
        let mut count = lexicon.longest().min(self.done + 1);
        live[self.done + 1 - count..].fill(true);
        for at in (0..=self.done).rev() {
            if live[at] && count == 1 {
                return at;
            }
            if live[at] {
                let before = at - lexicon.token(self.last[at]).len();
                count -= usize::from(live[before]);
                live[before] = true;
            }
        }
        unreachable!("all results begin at 0: bug")
    }

    /// Appends the ids of the first `end` bytes, and forgets those.
    fn give(&mut self, end: usize, lexicon: &Lexicon, ids: &mut Vec<u32>) {
        let (first, mut at) = (ids.len(), end);
        while at > 0 {
            ids.push(self.last[at]);
            at -= lexicon.token(self.last[at]).len();
        }
        ids[first..].reverse();
        self.bytes.drain(..end);
        self.visits.clear();
        self.last.drain(..end);
        self.done -= end;
    }
}

/// Whether two tokens, or one at the word's beginning, are what their bytes give.
fn are_neighbours(
    pairs: &mut HashMap<(u32, u32), bool, BuildHasherDefault<PairHasher>>,
    before: u32,
    id: u32,
    bpe: &Bpe,
) -> bool {
    if let Some(&known) = pairs.get(&(before, id)) {
        return known;
    }
    let (mut bytes, mut ids) = (Vec::new(), Vec::new());
    if before != NONE {
        bytes.extend_from_slice(bpe.lexicon.token(before));
    }
    bytes.extend_from_slice(bpe.lexicon.token(id));
    bpe.merges.encode(&bytes, &mut ids);
    let found = ids == [before, id] || before == NONE && ids == [id];
    if pairs.len() == MAX_PAIRS {
        pairs.clear();
    }
    pairs.insert((before, id), found);
    found
}

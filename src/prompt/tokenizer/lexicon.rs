//! The tokens of a vocabulary by their bytes: which of them a text begins with.

use std::ops::Range;
use std::sync::OnceLock;

/// The bytes of tokens by id.
pub struct Lexicon {
    /// Bytes of all tokens, end to end.
    bytes: Vec<u8>,
    /// By id, where its bytes are; empty for what is no token of bytes.
    ranges: Vec<Range<u32>>,
    /// Bytes of the longest.
    longest: usize,
    /// Made when first needed.
    order: OnceLock<Order>,
}

/// Tokens in order of their bytes.
struct Order {
    ids: Vec<u32>,
    /// By first byte, where its tokens begin in `ids`, and where the last one's end.
    first: [usize; 257],
}

impl Lexicon {
    /// Tokens by id, as their bytes; no bytes for an id that is none.
    pub fn new(tokens: impl Iterator<Item = Vec<u8>>) -> Self {
        let (mut bytes, mut ranges) = (Vec::new(), Vec::new());
        for token in tokens {
            let start = bytes.len() as u32;
            bytes.extend(token);
            ranges.push(start..bytes.len() as u32);
        }
        let longest = ranges.iter().map(Range::len).max().unwrap_or(0).max(1);
        Self { bytes, ranges, longest, order: OnceLock::new() }
    }

    /// Bytes of the longest token.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The bytes of a token.
    pub fn token(&self, id: u32) -> &[u8] {
        let range = &self.ranges[id as usize];
        &self.bytes[range.start as usize..range.end as usize]
    }

    /// The tokens that `text` begins with, the shortest first.
    pub fn prefixes(&self, text: &[u8]) -> impl Iterator<Item = u32> {
        let order = self.order.get_or_init(|| Order::new(self));
        // Tokens that begin with the first `depth` bytes of the text.
        let mut range = match text.first() {
            Some(&byte) => order.first[byte as usize]..order.first[byte as usize + 1],
            None => 0..0,
        };
        let mut depth = 1;
        std::iter::from_fn(move || {
            while !range.is_empty() {
                let shortest = order.ids[range.start];
                let found = self.token(shortest).len() == depth;
                range.start += usize::from(found);
                range = match text.get(depth) {
                    Some(&byte) => self.narrow(&order.ids, range.clone(), depth, byte),
                    None => 0..0,
                };
                depth += 1;
                if found {
                    return Some(shortest);
                }
            }
            None
        })
    }

    /// Those tokens of `range`, all longer than `depth`, that have `byte` there.
    fn narrow(&self, ids: &[u32], range: Range<usize>, depth: usize, byte: u8) -> Range<usize> {
        let tokens = &ids[range.clone()];
        let start = tokens.partition_point(|&id| self.token(id)[depth] < byte);
        let count = tokens[start..].partition_point(|&id| self.token(id)[depth] == byte);
        range.start + start..range.start + start + count
    }
}

impl Order {
    fn new(lexicon: &Lexicon) -> Self {
        let all = 0..lexicon.ranges.len() as u32;
        let mut ids: Vec<u32> = all.filter(|&id| !lexicon.token(id).is_empty()).collect();
        ids.sort_unstable_by(|&a, &b| lexicon.token(a).cmp(lexicon.token(b)));
        let below = |byte| ids.partition_point(|&id| usize::from(lexicon.token(id)[0]) < byte);
        Self { first: std::array::from_fn(below), ids }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn tokens_that_a_text_begins_with_are_found() {
        let tokens = [&b"a"[..], b"b", b"", b"ab", b"abc", b"abd", b"b\xff"];
        let lexicon = Lexicon::new(tokens.iter().map(|token| token.to_vec()));
        let found = |text: &[u8]| lexicon.prefixes(text).collect::<Vec<_>>();
        assert_eq!(found(b"abdx"), [0, 3, 5]);
        assert_eq!(found(b"abe"), [0, 3]);
        assert_eq!(found(b"a"), [0]);
        assert_eq!(found(b"b\xff"), [1, 6]);
        assert!(found(b"x").is_empty() && found(b"").is_empty());
        assert_eq!((lexicon.longest(), lexicon.token(5)), (3, &b"abd"[..]));
    }
}

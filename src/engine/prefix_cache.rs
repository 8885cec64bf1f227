//! Keys and values of prompts' beginnings, kept from request to request.
//!
//! All prompts with one instruction begin alike, and those of a repeated query
//! are alike up to the document, so that a request finds most of its beginning,
//! or all of it, computed by one before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Behind, Prefix};

/// Most bytes of keys and values that are kept: about 220 tokens of the 0.6B shape. With what a
/// pass takes beside it, a program stays within 64 MiB over 1.25 times its file, unless a query is longer.
pub const MAX_BYTES: usize = 48 << 20;
/// Most beginnings that are kept, since each is compared with every request's.
const MAX_COUNT: usize = 64;

/// Beginnings that were computed, the last used first.
#[derive(Default)]
pub struct Prefixes(Mutex<VecDeque<Arc<Prefix>>>);

impl Prefixes {
    /// The longest beginning of `ids` whose keys and values are there, maybe none of it.
    pub fn longest(&self, ids: &[u32]) -> Behind {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let common = |prefix: &Prefix| {
            prefix.ids().iter().zip(ids).take_while(|(kept, id)| kept == id).count()
        };
        let lengths = kept.iter().enumerate().map(|(place, prefix)| (common(prefix), place));
        // Of equally long ones the last used.
        let found = lengths.max_by_key(|&(tokens, place)| (tokens, std::cmp::Reverse(place)));
        let Some((tokens @ 1.., place)) = found else { return Behind::default() };
        let Some(prefix) = kept.remove(place) else { return Behind::default() };
        kept.push_front(prefix.clone());
        Behind { prefix, tokens }
    }

    /// Keeps a beginning, instead of those that it begins with and those used longest ago.
    /// Of one that is too long the first tokens are kept: the instruction's, if not the query's.
    pub fn keep(&self, prefix: Arc<Prefix>) {
        let prefix = match prefix.bytes() {
            0..=MAX_BYTES => prefix,
            bytes => Arc::new(prefix.first(MAX_BYTES / (bytes / prefix.ids().len()))),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| !prefix.ids().starts_with(other.ids()));
        kept.push_front(prefix);
        let bytes = |kept: &VecDeque<Arc<Prefix>>| kept.iter().map(|p| p.bytes()).sum::<usize>();
        while kept.len() > MAX_COUNT || bytes(&kept) > MAX_BYTES {
            kept.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// A prefix of a model that has one layer, whose keys and values are `width` values a token each.
    fn prefix(ids: impl Iterator<Item = u32>, width: usize) -> Arc<Prefix> {
        let ids: Vec<u32> = ids.collect();
        let values = ids.iter().flat_map(|id| vec![*id as f32; width]).collect::<Vec<_>>();
        Arc::new(Prefix::new(ids, vec![(values.clone(), values)]))
    }

    #[test]
    fn the_longest_common_beginning_is_found() {
        let prefixes = Prefixes::default();
        prefixes.keep(prefix(0..4, 2));
        prefixes.keep(prefix([0, 1, 9].into_iter(), 2));
        assert_eq!(prefixes.longest(&[0, 1, 2, 8]).tokens, 3);
        assert_eq!(prefixes.longest(&[0, 1, 9, 9]).tokens, 3);
        assert_eq!(prefixes.longest(&[7]).tokens, 0);
    }

    #[test]
    fn of_a_beginning_beyond_the_limit_the_first_tokens_are_kept() {
        let prefixes = Prefixes::default();
        let a_third = MAX_BYTES / size_of::<f32>() / 2 / 3;
        prefixes.keep(prefix(0..4, a_third));
        let found = prefixes.longest(&[0, 1, 2, 3]);
        assert_eq!((found.tokens, found.prefix.ids()), (3, &[0, 1, 2][..]));
        assert!(found.prefix.bytes() <= MAX_BYTES);
        // So many ids that their number times the limit exceeds 32 bits.
        let a_300th = MAX_BYTES / size_of::<f32>() / 2 / 300;
        prefixes.keep(prefix(1000..1310, a_300th));
        let ids: Vec<u32> = (1000..1310).collect();
        assert_eq!(prefixes.longest(&ids).tokens, 300);
    }
}

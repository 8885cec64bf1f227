//! Keys and values of prompts' first tokens, kept from request to request.
//!
//! All prompts with one instruction begin alike, and those of a repeated query
//! are alike up to the document, so a request finds most of its prefix, or all of
//! it, computed by an earlier one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{KvPrefix, PrefixHit};

/// Most prefixes in the cache, since each is compared with every request's.
const MAX_PREFIXES: usize = 64;

/// Prefixes of earlier requests, the last used first.
pub struct PrefixCache {
    prefixes: Mutex<VecDeque<Arc<KvPrefix>>>,
    /// Most bytes of keys and values of all of them.
    max_bytes: usize,
}

impl PrefixCache {
    /// An empty cache for at most `max_bytes` of keys and values.
    pub fn new(max_bytes: usize) -> Self {
        Self { prefixes: Mutex::default(), max_bytes }
    }

    /// The most leading tokens of `ids` whose keys and values are in the cache, maybe none.
    pub fn lookup(&self, ids: &[u32]) -> PrefixHit {
        let mut prefixes = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        let common = |prefix: &KvPrefix| {
            prefix.ids().iter().zip(ids).take_while(|(cached, id)| cached == id).count()
        };
        let lengths = prefixes.iter().enumerate().map(|(index, prefix)| (common(prefix), index));
        // Of equally long ones the last used.
        let longest = lengths.max_by_key(|&(tokens, index)| (tokens, std::cmp::Reverse(index)));
        let Some((tokens @ 1.., index)) = longest else { return PrefixHit::default() };
        let Some(prefix) = prefixes.remove(index) else { return PrefixHit::default() };
        prefixes.push_front(prefix.clone());
        PrefixHit { prefix, tokens }
    }

    /// Adds a prefix, and drops those that it begins with and those used longest ago.
    /// Of one that is too long the first tokens are kept: the instruction's, if not the query's.
    pub fn insert(&self, prefix: Arc<KvPrefix>) {
        let bytes = prefix.bytes();
        if prefix.ids().is_empty() {
            return;
        }
        let prefix = if bytes <= self.max_bytes {
            prefix
        } else {
            match self.max_bytes / (bytes / prefix.ids().len()) {
                0 => return,
                tokens => Arc::new(prefix.truncated(tokens)),
            }
        };
        let mut prefixes = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        prefixes.retain(|other| !prefix.ids().starts_with(other.ids()));
        prefixes.push_front(prefix);
        let bytes = |all: &VecDeque<Arc<KvPrefix>>| all.iter().map(|p| p.bytes()).sum::<usize>();
        while prefixes.len() > MAX_PREFIXES || bytes(&prefixes) > self.max_bytes {
            prefixes.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::model::LayerKeysValues;

    /// A prefix of a model of one layer, with one key and one value a token: 8 bytes.
    fn prefix(ids: impl IntoIterator<Item = u32>) -> Arc<KvPrefix> {
        let ids: Vec<u32> = ids.into_iter().collect();
        let values: Vec<f32> = ids.iter().map(|id| *id as f32).collect();
        Arc::new(KvPrefix::on_cpu(ids, vec![LayerKeysValues::new(values.clone(), values)]))
    }

    /// Bytes of a token of [`prefix`].
    const TOKEN: usize = 8;

    #[test]
    fn the_longest_common_prefix_is_found() {
        let cache = PrefixCache::new(100 * TOKEN);
        cache.insert(prefix(0..4));
        cache.insert(prefix([0, 1, 9]));
        assert_eq!(cache.lookup(&[0, 1, 2, 8]).tokens, 3);
        assert_eq!(cache.lookup(&[0, 1, 9, 9]).tokens, 3);
        assert_eq!(
            cache.lookup(&[0, 9, 2, 3]).tokens,
            1,
            "what is equal behind a difference does not count"
        );
        assert_eq!(cache.lookup(&[7]).tokens, 0);
        assert_eq!(cache.lookup(&[]).tokens, 0);
    }

    #[test]
    fn a_hit_names_the_tokens_that_were_asked_for() {
        let cache = PrefixCache::new(100 * TOKEN);
        cache.insert(prefix(10..14));
        let hit = cache.lookup(&[10, 11, 99]);
        assert_eq!(hit.ids(), [10, 11]);
        assert_eq!(hit.prefix.ids(), [10, 11, 12, 13]);
    }

    #[test]
    fn of_a_prefix_beyond_the_limit_the_first_tokens_are_kept() {
        let cache = PrefixCache::new(3 * TOKEN);
        cache.insert(prefix(0..4));
        let hit = cache.lookup(&[0, 1, 2, 3]);
        assert_eq!((hit.tokens, hit.prefix.ids()), (3, &[0, 1, 2][..]));
        assert_eq!(hit.prefix.bytes(), 3 * TOKEN);
    }

    #[test]
    fn what_was_used_longest_ago_is_dropped_first() {
        let cache = PrefixCache::new(6 * TOKEN);
        for first in [0, 10, 20] {
            cache.insert(prefix(first..first + 2));
        }
        // The oldest becomes the last used.
        assert_eq!(cache.lookup(&[0, 1]).tokens, 2);
        cache.insert(prefix(30..32));
        assert_eq!(cache.lookup(&[10, 11]).tokens, 0, "the one used longest ago is gone");
        for kept in [0, 20, 30] {
            assert_eq!(cache.lookup(&[kept, kept + 1]).tokens, 2, "{kept} is kept");
        }
    }

    #[test]
    fn a_prefix_takes_the_place_of_those_that_it_begins_with() {
        let cache = PrefixCache::new(6 * TOKEN);
        cache.insert(prefix(0..2));
        cache.insert(prefix(10..12));
        cache.insert(prefix(0..4));
        // Two and four tokens: all fits only if the first of them has gone.
        assert_eq!(cache.lookup(&[10, 11]).tokens, 2);
        assert_eq!(cache.lookup(&[0, 1, 2, 3]).tokens, 4);
    }

    #[test]
    fn a_cache_without_room_holds_nothing() {
        let cache = PrefixCache::new(TOKEN - 1);
        cache.insert(prefix(0..4));
        assert_eq!(cache.lookup(&[0, 1]).tokens, 0);
        cache.insert(prefix([]));
    }

    #[test]
    fn the_number_of_prefixes_is_bounded() {
        let cache = PrefixCache::new(usize::MAX);
        for first in 0..=MAX_PREFIXES as u32 {
            cache.insert(prefix([first]));
        }
        assert_eq!(cache.lookup(&[0]).tokens, 0);
        assert_eq!(cache.lookup(&[1]).tokens, 1);
        assert_eq!(cache.lookup(&[MAX_PREFIXES as u32]).tokens, 1);
    }
}

//! Keys and values of prompts' beginnings, kept from request to request.
//!
//! All prompts with one instruction begin alike, and those of a repeated query
//! are alike up to the document, so that a request finds most of its beginning,
//! or all of it, computed by one before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Behind, Prefix};

/// Most bytes of keys and values that are kept: about 290 tokens of the 0.6B shape.
const MAX_BYTES: usize = 64 << 20;
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
    pub fn keep(&self, prefix: Arc<Prefix>) {
        if prefix.bytes() > MAX_BYTES {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| !prefix.ids().starts_with(other.ids()));
        kept.push_front(prefix);
        let bytes = |kept: &VecDeque<Arc<Prefix>>| kept.iter().map(|p| p.bytes()).sum::<usize>();
        while kept.len() > MAX_COUNT || bytes(&kept) > MAX_BYTES {
            kept.pop_back();
        }
    }
}

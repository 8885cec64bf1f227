//! Control tokens in text that comes in pieces.

use std::collections::HashMap;

use regex::Regex;

use crate::{Error, Result};

/// Most bytes of all control tokens, Qwen3's being about 400: a pattern takes hundreds of times as many.
const MAX_CONTROL: usize = 1 << 16;

/// The control tokens of a vocabulary.
pub struct ControlTokens {
    ids: HashMap<String, u32>,
    /// Matches any of them, the longest where several start at one place.
    pattern: Regex,
    /// Bytes of the longest.
    longest: usize,
}

impl ControlTokens {
    /// Control tokens by their text.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if they are too many or too long.
    pub fn new(ids: HashMap<String, u32>) -> Result<Self> {
        let mut texts: Vec<&str> = ids.keys().map(String::as_str).collect();
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        if bytes > MAX_CONTROL {
            let reason = format!("control tokens of {bytes} bytes in all; at most {MAX_CONTROL}");
            return Err(Error::model("tokenizer.ggml.tokens", reason));
        }
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        let longest = texts.first().map_or(0, |text| text.len());
        let branches: Vec<String> = texts.into_iter().map(regex::escape).collect();
        // An empty alternation would match everywhere; `[^\s\S]` matches nowhere.
        let pattern = if branches.is_empty() { r"[^\s\S]".to_string() } else { branches.join("|") };
        let pattern = Regex::new(&pattern).map_err(|error| {
            Error::model("tokenizer.ggml.tokens", format!("too many control tokens: {error}"))
        })?;
        Ok(Self { ids, pattern, longest })
    }

    /// The id of a control token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// Whether `text` begins with a control token.
    pub fn begins(&self, text: &str) -> bool {
        self.pattern.find(text).is_some_and(|found| found.start() == 0)
    }

    /// Where the last control token of `text` ends.
    pub fn last_end(&self, text: &str) -> Option<usize> {
        self.pattern.find_iter(text).last().map(|found| found.end())
    }

    /// The first part of `text`: up to a control token, with its id, or without one, as far as
    /// none can begin that text to come completes; at `end` that is all of it.
    pub fn split<'a>(&self, text: &'a str, end: bool) -> (&'a str, Option<u32>, &'a str) {
        let mut sure = if end { text.len() } else { (text.len() + 1).saturating_sub(self.longest) };
        sure = sure.min(text.len());
        while !text.is_char_boundary(sure) {
            sure -= 1;
        }
        match self.pattern.find(text) {
            Some(found) if end || found.start() < sure => {
                let id = self.ids[found.as_str()];
                (&text[..found.start()], Some(id), &text[found.end()..])
            }
            _ => (&text[..sure], None, &text[sure..]),
        }
    }
}

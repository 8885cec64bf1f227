//! A text on its way to ids, piece by piece.

use super::normaliser::Normaliser;
use super::tables::Tables;
use super::word::Word;
use super::words::{Fragment, Splitter};

/// Bytes that are held whatever the limit.
const SLACK: usize = 1 << 16;

/// What a text became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Ids into the vocabulary.
    pub ids: Vec<u32>,
    /// Whether ids beyond the limit were left out.
    pub truncated: bool,
}

/// A text on its way to ids.
pub struct Stream {
    limit: usize,
    ids: Vec<u32>,
    /// Raw text that may hold the beginning of a control token.
    raw: String,
    normaliser: Normaliser,
    splitter: Splitter,
    word: Word,
}

impl Stream {
    /// A text of which at most `limit` ids are wanted.
    pub fn new(tables: &Tables, limit: usize) -> Self {
        // So many bytes as `limit` ids can stand for.
        let most = limit.saturating_mul(tables.bpe.lexicon.longest()).saturating_add(SLACK);
        Self {
            limit,
            ids: Vec::new(),
            raw: String::new(),
            normaliser: Normaliser::default(),
            splitter: Splitter::new(most),
            word: Word::new(most),
        }
    }

    /// Whether there are more ids than the limit, so that more text changes nothing.
    pub fn is_full(&self) -> bool {
        self.ids.len() > self.limit
    }

    /// Takes the next piece of the text. With `control`, control tokens in it are such.
    pub fn push(&mut self, tables: &Tables, piece: &str, control: bool) {
        if control {
            self.raw.push_str(piece);
            self.take_raw(tables, false);
        } else {
            self.take_raw(tables, true);
            self.plain(tables, piece);
        }
    }

    /// Ends what is tokenized as one text; what follows is another.
    pub fn boundary(&mut self, tables: &Tables) {
        self.take_raw(tables, true);
        self.end_plain(tables);
    }

    /// The ids, once all pieces were pushed or the stream is full.
    pub fn finish(mut self, tables: &Tables) -> Encoding {
        if !self.is_full() {
            self.boundary(tables);
        }
        let truncated = self.is_full();
        self.ids.truncate(self.limit);
        Encoding { ids: self.ids, truncated }
    }

    /// Takes what is held of raw text; at `end`, all of it.
    fn take_raw(&mut self, tables: &Tables, end: bool) {
        let raw = std::mem::take(&mut self.raw);
        let mut rest = &raw[..];
        while !rest.is_empty() && !self.is_full() {
            let (plain, id, left) = tables.control.split(rest, end);
            self.plain(tables, plain);
            rest = left;
            let Some(id) = id else { break };
            self.end_plain(tables);
            self.ids.push(id);
        }
        self.raw.push_str(rest);
    }

    fn plain(&mut self, tables: &Tables, text: &str) {
        self.normaliser.push(text, self.splitter.input());
        self.take_words(tables, false);
    }

    fn end_plain(&mut self, tables: &Tables) {
        self.normaliser.finish(self.splitter.input());
        self.take_words(tables, true);
    }

    fn take_words(&mut self, tables: &Tables, end: bool) {
        while !self.is_full()
            && let Some(Fragment { range, ends }) = self.splitter.next(&tables.classes, end)
        {
            let bytes = &self.splitter.text().as_bytes()[range];
            self.word.push(bytes, ends, &tables.bpe, &mut self.ids);
        }
    }
}

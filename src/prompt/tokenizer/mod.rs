//! Text to ids, as the real `tokenizer.json` of Qwen3 gives them.
//!
//! Built from the vocabulary, merges and token types that a GGUF file carries.
//! The stages are those of `tokenizer.json`: control tokens are cut out of the
//! raw text (only where the caller asks for it), the rest is normalised to NFC,
//! split by the Qwen2 pattern, and each word's bytes are merged.
//!
//! The stages are written here, and not the `tokenizers` crate's, because each takes text piece
//! by piece: time is linear, memory is bounded by the limit on ids, and a caller can stop between
//! pieces, even within one word of megabytes. The ids are those of the whole text, but for these:
//!
//! * A text that is cut at its limit, where a run of white space, or a part of a word on which one
//!   token depends, is longer than limit × longest token + 64 KiB bytes: the run or the word is
//!   taken to end there.
//! * A text with more than 256 KiB of combining characters in a row: NFC orders so many at a time.
//!
//! ```text
//! control ─→ normaliser ─→ words ─→ word ─→ ids      stream: all of them, piece by piece
//!                                    ├ merges        a short word
//!                                    └ long_word     one that comes in fragments
//! ```

mod bpe;
mod characters;
mod control;
mod lexicon;
mod long_word;
mod merges;
mod normaliser;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod oracle;
mod stream;
mod tables;
#[cfg(test)]
mod tests;
mod vocabulary;
mod word;
mod words;

pub use stream::Encoding;
pub(crate) use stream::Stream;
pub(crate) use tables::Tables;
#[cfg(feature = "native")]
pub(crate) use words::PATTERN;

use self::control::ControlTokens;
use self::vocabulary::Vocabulary;
use crate::gguf::Metadata;
use crate::{Error, Result};

/// Bytes of text that go through the stages at a time.
pub(crate) const PIECE_BYTES: usize = 16 << 10;

/// A byte-level BPE tokenizer with Qwen3's stages.
pub struct Tokenizer {
    pub(crate) tables: Tables,
    vocabulary_size: usize,
}

impl Tokenizer {
    /// Builds the tokenizer from a GGUF file's `tokenizer.ggml.*` keys.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] where keys are missing or contradict each other,
    /// [`Error::UnsupportedModel`] for another kind of tokenizer.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        Self::new(Vocabulary::from_gguf(metadata)?)
    }

    fn new(vocabulary: Vocabulary) -> Result<Self> {
        let Vocabulary { bpe, control, size } = vocabulary;
        let control = ControlTokens::new(control)?;
        Ok(Self {
            tables: Tables { control, classes: Default::default(), bpe },
            vocabulary_size: size,
        })
    }

    /// Ids from 0 to below this may come out of [`Tokenizer::encode`].
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// Encodes `text`, giving at most `limit` ids; text behind those is not looked at, unless
    /// they depend on it. With `control`, texts such as `<|im_end|>` become the control tokens
    /// they name, as in the reference; without, they are text like any other.
    pub fn encode(&self, text: &str, control: bool, limit: usize) -> Encoding {
        let mut stream = Stream::new(&self.tables, limit);
        let mut at = 0;
        while at < text.len() && !stream.is_full() {
            let piece = piece(text, at);
            stream.push(&self.tables, piece, control);
            at += piece.len();
        }
        stream.finish(&self.tables)
    }

    /// The id of a control token.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if the vocabulary has no such control token.
    pub fn control_id(&self, token: &str) -> Result<u32> {
        self.tables.control.id(token).ok_or_else(|| {
            Error::model("tokenizer.ggml.tokens", format!("has no control token {token}"))
        })
    }

    /// The id of a word that must be one token by itself.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is not.
    pub fn single_id(&self, word: &str) -> Result<u32> {
        match self.encode(word, false, 2).ids[..] {
            [id] => Ok(id),
            _ => {
                let reason = format!("{word:?} is not a single token, so it cannot be an answer");
                Err(Error::model("tokenizer.ggml.tokens", reason))
            }
        }
    }
}

/// The piece of `text` that begins at `at`, of about [`PIECE_BYTES`].
pub(crate) fn piece(text: &str, at: usize) -> &str {
    let mut end = (at + PIECE_BYTES).min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    &text[at..end]
}

//! Text to ids, as the real `tokenizer.json` of Qwen3 gives them.
//!
//! Built from the vocabulary, merges and token types that a GGUF file carries.
//! The stages are those of `tokenizer.json`: control tokens are cut out of the
//! raw text (only where the caller asks for it), the rest is normalised to NFC,
//! split by the Qwen2 pattern, mapped byte by byte to letters, and merged.
//! The merging is the `tokenizers` crate's; the stages before it are done here,
//! because that crate's pattern engine backtracks, which fails on long runs of
//! white space, and because encoding here stops once a limit is reached.

use std::collections::HashMap;

use regex::Regex;
use tokenizers::Model as _;
use tokenizers::models::bpe::BPE;
use unicode_normalization_alignments::UnicodeNormalization;

use crate::gguf::Metadata;
use crate::prompt::template;
use crate::{Error, Result};

/// The Qwen2 pattern, as `tokenizer.json` has it.
pub(crate) const PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Its branch that is not matched here; [`Tokenizer::words`] adds the effect.
const LOOK_AHEAD: &str = r"\s+(?!\S)|";

/// Token types of `tokenizer.ggml.token_type` (`enum llama_token_type` in llama.h).
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const UNUSED: u64 = 5;

/// Bytes that are encoded whatever the limit.
const SLACK: usize = 1 << 16;

/// What a text became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Ids into the vocabulary.
    pub ids: Vec<u32>,
    /// Whether ids beyond the limit were left out.
    pub truncated: bool,
}

/// The ids around every content, from [`template::PREFIX`] and [`template::SUFFIX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Ids before the content.
    pub prefix: Vec<u32>,
    /// Ids behind the content.
    pub suffix: Vec<u32>,
}

impl Frame {
    /// Number of ids on both sides.
    #[allow(clippy::len_without_is_empty)] // A frame is never empty.
    pub fn len(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }
}

/// A byte-level BPE tokenizer with Qwen3's stages.
pub struct Tokenizer {
    bpe: BPE,
    /// Splits normalised text into words: [`PATTERN`] without [`LOOK_AHEAD`].
    pattern: Regex,
    /// Finds control tokens in raw text.
    control_pattern: Regex,
    /// Ids of the control tokens by their text.
    control: HashMap<String, u32>,
    /// The letter that stands for each byte in the vocabulary.
    letters: [char; 256],
    vocabulary_size: usize,
    /// Most bytes of text that one id stands for.
    longest: usize,
}

impl Tokenizer {
    /// Builds the tokenizer from a GGUF file's `tokenizer.ggml.*` keys.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] where keys are missing or contradict each other,
    /// [`Error::UnsupportedModel`] for another kind of tokenizer.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        for (key, expected) in [("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "qwen2")] {
            match metadata.text(key)? {
                Some(found) if found == expected => {}
                Some(found) => {
                    let reason = format!("{key} is {found:?}; Qwen3 has {expected:?}");
                    return Err(Error::UnsupportedModel(reason));
                }
                None => return Err(Error::model(key, "the key is missing")),
            }
        }
        let tokens = required(metadata.texts("tokenizer.ggml.tokens")?, "tokenizer.ggml.tokens")?;
        let merges = required(metadata.texts("tokenizer.ggml.merges")?, "tokenizer.ggml.merges")?;
        let key = "tokenizer.ggml.token_type";
        let types = required(metadata.counts(key)?, key)?;
        if types.len() != tokens.len() {
            let reason = format!("holds {} types for {} tokens", types.len(), tokens.len());
            return Err(Error::model(key, reason));
        }
        Self::new(&tokens, &merges, &types)
    }

    /// `tokens` by id, `merges` as `"left right"` by rank, `types` by id.
    fn new(tokens: &[&str], merges: &[&str], types: &[u64]) -> Result<Self> {
        let mut vocabulary = HashMap::with_capacity(tokens.len());
        let mut control = HashMap::new();
        for (id, (&token, &kind)) in tokens.iter().zip(types).enumerate() {
            let target = match kind {
                UNUSED => continue,
                CONTROL | USER_DEFINED => &mut control,
                _ => &mut vocabulary,
            };
            let fail = |reason| Err(Error::model(format!("tokenizer.ggml.tokens[{id}]"), reason));
            if token.is_empty() {
                return fail("is empty".to_string());
            }
            if target.insert(token.to_string(), id as u32).is_some() {
                return fail(format!("{token:?} stands twice"));
            }
        }
        let letters = byte_letters();
        if let Some(missing) =
            (0..256).find(|&b| !vocabulary.contains_key(&String::from(letters[b])))
        {
            let reason = format!("has no token for the byte {missing:#04x}");
            return Err(Error::model("tokenizer.ggml.tokens", reason));
        }
        let merges = merges
            .iter()
            .enumerate()
            .map(|(rank, merge)| read_merge(rank, merge, &vocabulary))
            .collect::<Result<Vec<_>>>()?;
        let bpe = BPE::new(vocabulary.into_iter().collect(), merges);
        let pattern =
            Regex::new(&PATTERN.replace(LOOK_AHEAD, "")).expect("the pattern is valid: bug");
        let control_pattern = control_pattern(&control)?;
        // A letter of an ordinary token is a byte; that of a control token at least one.
        let longest = tokens.iter().map(|token| token.len()).max().unwrap_or(1);
        let vocabulary_size = tokens.len();
        Ok(Self { bpe, pattern, control_pattern, control, letters, vocabulary_size, longest })
    }

    /// Ids from 0 to below this may come out of [`Tokenizer::encode`].
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// Encodes `text`, giving at most `limit` ids; text that lies far beyond
    /// what so many ids can stand for is not looked at. With `control`, texts such as
    /// `<|im_end|>` become the control tokens they name, as in the reference;
    /// without, they are text like any other.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if the merges lead out of the vocabulary.
    pub fn encode(&self, text: &str, control: bool, limit: usize) -> Result<Encoding> {
        let mut encoding = Encoding::default();
        let whole = text;
        let text = self.reachable(text, limit);
        let mut end = 0;
        if control {
            for found in self.control_pattern.find_iter(text) {
                self.encode_plain(&text[end..found.start()], limit, &mut encoding)?;
                encoding.ids.push(self.control[found.as_str()]);
                end = found.end();
                if encoding.ids.len() > limit {
                    break;
                }
            }
        }
        self.encode_plain(&text[end..], limit, &mut encoding)?;
        encoding.truncated = encoding.ids.len() > limit || text.len() < whole.len();
        encoding.ids.truncate(limit);
        Ok(encoding)
    }

    /// The start of `text` that `limit` ids could stand for, and as much again;
    /// NFC leaves at least a third of a text's bytes.
    fn reachable<'a>(&self, text: &'a str, limit: usize) -> &'a str {
        let bytes = limit.saturating_mul(self.longest).saturating_mul(6);
        let mut end = bytes.saturating_add(SLACK).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        &text[..end]
    }

    /// The id of a control token.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if the vocabulary has no such control token.
    pub fn control_id(&self, token: &str) -> Result<u32> {
        self.control.get(token).copied().ok_or_else(|| {
            Error::model("tokenizer.ggml.tokens", format!("has no control token {token}"))
        })
    }

    /// The id of a word that must be one token by itself.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is not.
    pub fn single_id(&self, word: &str) -> Result<u32> {
        match self.encode(word, false, 2)?.ids[..] {
            [id] => Ok(id),
            _ => {
                let reason = format!("{word:?} is not a single token, so it cannot be an answer");
                Err(Error::model("tokenizer.ggml.tokens", reason))
            }
        }
    }

    /// The frame around every prompt, its control tokens checked.
    ///
    /// # Errors
    /// As [`Tokenizer::control_id`].
    pub fn frame(&self) -> Result<Frame> {
        for token in template::CONTROL_TOKENS {
            self.control_id(token)?;
        }
        let ids = |text| self.encode(text, true, usize::MAX).map(|encoding| encoding.ids);
        Ok(Frame { prefix: ids(template::PREFIX)?, suffix: ids(template::SUFFIX)? })
    }

    /// Appends the ids of `text`, stopping soon after `limit` is passed.
    fn encode_plain(&self, text: &str, limit: usize, encoding: &mut Encoding) -> Result<()> {
        let normalised: String;
        let text = if text.is_ascii() {
            text
        } else {
            normalised = text.nfc().map(|(c, _)| c).collect();
            &normalised
        };
        let mut mapped = String::new();
        for word in self.words(text) {
            if encoding.ids.len() > limit {
                break;
            }
            mapped.clear();
            mapped.extend(word.bytes().map(|byte| self.letters[byte as usize]));
            let tokens = self.bpe.tokenize(&mapped).map_err(|error| {
                Error::model("tokenizer.ggml.merges", format!("cannot be applied: {error}"))
            })?;
            encoding.ids.extend(tokens.iter().map(|token| token.id));
        }
        Ok(())
    }

    /// The words of normalised text: the pattern's matches, except that a run of
    /// white space leaves its last character to the word that follows it.
    fn words<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let found = self.pattern.find_at(text, start)?;
            let word = found.as_str();
            let end = match word.char_indices().next_back() {
                // Only the pattern's last branch matches white space that does
                // not end a line, and only it has the look-ahead before it.
                Some((last, c))
                    if last > 0
                        && found.end() < text.len()
                        && c.is_whitespace()
                        && c != '\r'
                        && c != '\n' =>
                {
                    found.start() + last
                }
                _ => found.end(),
            };
            start = end;
            Some(&text[found.start()..end])
        })
    }
}

fn required<T>(value: Option<T>, key: &str) -> Result<T> {
    value.ok_or_else(|| Error::model(key, "the key is missing"))
}

fn read_merge(
    rank: usize,
    merge: &str,
    vocabulary: &HashMap<String, u32>,
) -> Result<(String, String)> {
    let place = || format!("tokenizer.ggml.merges[{rank}]");
    let (left, right) = merge
        .split_once(' ')
        .ok_or_else(|| Error::model(place(), format!("{merge:?} is not two tokens")))?;
    for token in [left, right, &format!("{left}{right}")] {
        if !vocabulary.contains_key(token) {
            return Err(Error::model(place(), format!("{token:?} is not in the vocabulary")));
        }
    }
    Ok((left.to_string(), right.to_string()))
}

/// Most bytes of all control tokens, Qwen3's being about 400: a pattern takes hundreds of times as many.
const MAX_CONTROL: usize = 1 << 16;

/// Matches any control token, the longest where several start at one place.
fn control_pattern(control: &HashMap<String, u32>) -> Result<Regex> {
    let mut texts: Vec<&str> = control.keys().map(String::as_str).collect();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    if bytes > MAX_CONTROL {
        let reason = format!("control tokens of {bytes} bytes in all; at most {MAX_CONTROL}");
        return Err(Error::model("tokenizer.ggml.tokens", reason));
    }
    texts.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    let branches: Vec<String> = texts.into_iter().map(regex::escape).collect();
    // An empty alternation would match everywhere; `[^\s\S]` matches nowhere.
    let pattern = if branches.is_empty() { r"[^\s\S]".to_string() } else { branches.join("|") };
    Regex::new(&pattern).map_err(|error| {
        Error::model("tokenizer.ggml.tokens", format!("too many control tokens: {error}"))
    })
}

/// The letter that stands for each byte: itself if it prints, else one from
/// U+0100 on (`bytes_to_unicode` of GPT-2's `encoder.py`).
pub(crate) fn byte_letters() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| match byte as u32 {
        b @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => char::from_u32(b),
        _ => {
            next += 1;
            char::from_u32(next - 1)
        }
    })
    .map(|letter| letter.expect("all are scalar values: bug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes, and merges that make "yes" and two spaces single tokens.
    fn tokenizer() -> Tokenizer {
        let mut tokens: Vec<String> = byte_letters().iter().map(char::to_string).collect();
        tokens.extend(["ye", "yes", "ĠĠ", "<|a|>", "<|a|>b"].map(String::from));
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let mut types = vec![1; tokens.len()];
        types[259] = CONTROL;
        types[260] = USER_DEFINED;
        Tokenizer::new(&tokens, &["y e", "ye s", "Ġ Ġ"], &types).unwrap()
    }

    #[test]
    fn words_follow_the_pattern_with_its_look_ahead() {
        let tokenizer = tokenizer();
        let words = |text| tokenizer.words(text).collect::<Vec<_>>();
        assert_eq!(words("it's  a   b"), ["it", "'s", " ", " a", "  ", " b"]);
        assert_eq!(words("a  \n\n  b"), ["a", "  \n\n", " ", " b"]);
        assert_eq!(words("a \t"), ["a", " \t"]);
        assert_eq!(words("\u{a0}\u{3000}x12"), ["\u{a0}", "\u{3000}x", "1", "2"]);
        assert_eq!(words("?!\n\nx"), ["?!\n\n", "x"]);
        assert_eq!(words(""), Vec::<&str>::new());
    }

    #[test]
    fn control_tokens_only_where_asked_for() {
        let tokenizer = tokenizer();
        let ids = |control| tokenizer.encode("<|a|>byes", control, 100).unwrap().ids;
        assert_eq!(ids(true), [260, 257]);
        assert_eq!(ids(false).len(), 9 - 3 + 1);
        assert!(ids(false).iter().all(|&id| id < 259));
    }

    #[test]
    fn limit_cuts_on_the_right() {
        let tokenizer = tokenizer();
        let whole = tokenizer.encode("yes no yes", true, 100).unwrap();
        for limit in 0..=whole.ids.len() {
            let cut = tokenizer.encode("yes no yes", true, limit).unwrap();
            assert_eq!(cut.ids, whole.ids[..limit]);
            assert_eq!(cut.truncated, limit < whole.ids.len());
        }
    }

    #[test]
    fn text_far_beyond_the_limit_is_not_looked_at() {
        let tokenizer = tokenizer();
        let text = "é".repeat(SLACK);
        let cut = tokenizer.encode(&text, false, 3).unwrap();
        assert_eq!(cut.ids, tokenizer.encode("éé", false, 3).unwrap().ids);
        assert!(cut.truncated);
        assert!(tokenizer.reachable(&text, 3).len() < text.len());
        assert_eq!(tokenizer.reachable(&text, usize::MAX), text);
    }

    #[test]
    fn text_is_normalised() {
        let tokenizer = tokenizer();
        let ids = |text| tokenizer.encode(text, false, 100).unwrap().ids;
        assert_eq!(ids("e\u{301}"), ids("\u{e9}"));
    }
}

//! Vocabularies to be written into model files: Qwen3's own, whole or cut, and
//! those of `tokenizer.json` files.
//!
//! Qwen3's vocabulary follows from its merges: the ids are the 256 bytes, then
//! the result of each merge in order of rank, then the added tokens.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use serde_json::{Value as Json, json};

use super::json::check;
use crate::gguf::Value;
use crate::prompt::tokenizer::PATTERN;
use crate::{Error, Result};

/// Qwen3's merges in the form of its `merges.txt`, best rank first.
const MERGES: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/qwen3-merges.txt.gz"));
/// The merges without which "yes" (id 9693 of Qwen3) is not one token.
pub const FEWEST_MERGES: usize = 9438;
/// The first line of `merges.txt` files.
const VERSION_LINE: &str = "#version:";

/// Qwen3's added tokens by id, the first of them 151643.
const ADDED: [&str; 26] = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
];

/// What a token is to a tokenizer; numbers as in GGUF's `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TokenKind {
    /// A piece of text.
    Normal = 1,
    /// A control token.
    Control = 3,
    /// A piece of text that is found before all merging.
    UserDefined = 4,
    /// An id that no text gives.
    Unused = 5,
}

impl TokenKind {
    /// The kind that llama.cpp's converter gives an added token: what looks
    /// like a control token is one, flagged as special or not.
    fn of_added(token: &str, special: bool) -> Self {
        let looks_special = token.starts_with("<|") && token.ends_with("|>");
        if special || looks_special { Self::Control } else { Self::UserDefined }
    }
}

/// A byte-level BPE vocabulary with Qwen2's pre-tokenizer.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    /// Tokens by id, in GPT-2's spelling of bytes as letters.
    pub tokens: Vec<String>,
    /// What each token is.
    pub kinds: Vec<TokenKind>,
    /// Merges as `left right`, best rank first.
    pub merges: Vec<String>,
}

impl Vocabulary {
    /// Qwen3's vocabulary, or the part that its first `limit` merges make.
    /// A token's parts have better ranks than itself, so each such part is whole.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] for a limit below [`FEWEST_MERGES`] or above the
    /// number of merges.
    pub fn qwen3(limit: Option<usize>) -> Result<Self> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(MERGES)
            .read_to_string(&mut text)
            .map_err(|e| Error::io("embedded merges", e))?;
        let merges: Vec<_> = text.lines().filter(|line| !line.starts_with(VERSION_LINE)).collect();
        let count = limit.unwrap_or(merges.len());
        if !(FEWEST_MERGES..=merges.len()).contains(&count) {
            let reason = format!("{count} merges; {FEWEST_MERGES} to {} can be", merges.len());
            return Err(Error::value("vocabulary", reason));
        }
        let merges: Vec<String> = merges[..count].iter().map(|merge| merge.to_string()).collect();
        let mut tokens: Vec<String> = byte_letters().map(String::from).collect();
        tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
        let mut kinds = vec![TokenKind::Normal; tokens.len()];
        tokens.extend(ADDED.map(String::from));
        // None of them depends on the special flag: those that have it look special too.
        kinds.extend(ADDED.map(|token| TokenKind::of_added(token, false)));
        Ok(Self { tokens, kinds, merges })
    }

    /// Reads the text of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is not one, [`Error::UnsupportedModel`] if
    /// its stages are not those of Qwen3's.
    pub fn from_tokenizer_json(text: &str) -> Result<Self> {
        let fail = |reason: String| Error::model("tokenizer.json", reason);
        let json: Json = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
        check_stages(&json)?;
        let model = &json["model"];
        let entries =
            model["vocab"].as_object().ok_or_else(|| fail("model.vocab is missing".into()))?;
        let mut by_id = HashMap::new();
        let mut put = |id, token: &str, kind| match by_id.insert(id, (token.to_string(), kind)) {
            Some((other, _)) if other != token => {
                Err(fail(format!("the id {id} is that of {other:?} and of {token:?}")))
            }
            _ => Ok(()),
        };
        for (token, id) in entries {
            let id =
                id.as_u64().ok_or_else(|| fail(format!("the id of {token:?} is not a number")))?;
            put(id, token, TokenKind::Normal)?;
        }
        for added in json["added_tokens"].as_array().into_iter().flatten() {
            let (Some(id), Some(token)) = (added["id"].as_u64(), added["content"].as_str()) else {
                return Err(fail("an added token lacks id or content".into()));
            };
            let kind = TokenKind::of_added(token, added["special"].as_bool().unwrap_or(false));
            put(id, token, kind)?;
        }
        let merges =
            model["merges"].as_array().ok_or_else(|| fail("model.merges is missing".into()))?;
        let merges = merges.iter().map(merge).collect::<Option<_>>();
        let merges = merges.ok_or_else(|| fail("a merge is not a pair of tokens".into()))?;
        Self::from_ids(by_id, merges)
    }

    /// Lays tokens out by id; ids that no token has become unused ones.
    fn from_ids(mut by_id: HashMap<u64, (String, TokenKind)>, merges: Vec<String>) -> Result<Self> {
        // A gap of more ids than there are tokens is taken for corruption.
        let rows = by_id.keys().max().map_or(0, |&id| id.saturating_add(1));
        if rows > 2 * by_id.len() as u64 {
            let reason = format!("has ids up to {rows}, but {} tokens", by_id.len());
            return Err(Error::model("tokenizer.json", reason));
        }
        let mut vocabulary = Self { tokens: Vec::new(), kinds: Vec::new(), merges };
        for id in 0..rows {
            let unused = || (format!("[PAD{id}]"), TokenKind::Unused);
            let (token, kind) = by_id.remove(&id).unwrap_or_else(unused);
            vocabulary.tokens.push(token);
            vocabulary.kinds.push(kind);
        }
        let distinct: HashSet<_> = vocabulary.tokens.iter().collect();
        if distinct.len() < vocabulary.tokens.len() {
            return Err(Error::model("tokenizer.json", "two ids have the same token"));
        }
        Ok(vocabulary)
    }

    /// Adds unused tokens up to `rows`, the rows of an embedding.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if there are more tokens than rows already.
    pub fn pad(mut self, rows: usize) -> Result<Self> {
        let count = self.tokens.len();
        if count > rows {
            let reason = format!("has {count} tokens, but the embedding only {rows} rows");
            return Err(Error::model("tokenizer.json", reason));
        }
        self.tokens.extend((count..rows).map(|id| format!("[PAD{id}]")));
        self.kinds.resize(rows, TokenKind::Unused);
        Ok(self)
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<usize> {
        self.tokens.iter().position(|each| each == token)
    }

    /// The `tokenizer.*` metadata of a file.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it lacks the tokens that Qwen3 ends turns with.
    pub fn metadata(&self) -> Result<Vec<(String, Value)>> {
        let texts = |texts: &[String]| {
            Value::Array(texts.iter().map(|text| Value::String(text.clone())).collect())
        };
        let id = |token: &str| {
            let id = self.id(token).map(|id| Value::U32(id as u32));
            id.ok_or_else(|| Error::model("vocabulary", format!("lacks the token {token}")))
        };
        let kinds = self.kinds.iter().map(|&kind| Value::I32(kind as i32)).collect();
        let entries = [
            ("model", Value::String("gpt2".into())),
            ("pre", Value::String("qwen2".into())),
            ("tokens", texts(&self.tokens)),
            ("token_type", Value::Array(kinds)),
            ("merges", texts(&self.merges)),
            ("eos_token_id", id("<|im_end|>")?),
            ("padding_token_id", id("<|endoftext|>")?),
            ("bos_token_id", id("<|endoftext|>")?),
            ("add_bos_token", Value::Bool(false)),
            ("add_eos_token", Value::Bool(false)),
        ];
        Ok(entries.map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).into())
    }
}

/// A merge as `left right`: written so, or as a pair.
fn merge(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => text.split_once(' ').map(|_| text.clone()),
        Json::Array(pair) => match pair.as_slice() {
            [Json::String(left), Json::String(right)] => Some(format!("{left} {right}")),
            _ => None,
        },
        _ => None,
    }
}

/// Refuses a `tokenizer.json` whose stages would give other ids than [`Tokenizer`]'s.
///
/// [`Tokenizer`]: crate::prompt::tokenizer::Tokenizer
fn check_stages(json: &Json) -> Result<()> {
    let no = &[json!(false)];
    let none = &[json!(""), Json::Null];
    let places: &[(&str, &[Json])] = &[
        ("normalizer/type", &[json!("NFC")]),
        ("pre_tokenizer/type", &[json!("Sequence")]),
        ("pre_tokenizer/pretokenizers/0/type", &[json!("Split")]),
        ("pre_tokenizer/pretokenizers/0/pattern/Regex", &[json!(PATTERN)]),
        ("pre_tokenizer/pretokenizers/0/behavior", &[json!("Isolated")]),
        ("pre_tokenizer/pretokenizers/0/invert", no),
        ("pre_tokenizer/pretokenizers/1/type", &[json!("ByteLevel")]),
        ("pre_tokenizer/pretokenizers/1/add_prefix_space", no),
        ("pre_tokenizer/pretokenizers/1/use_regex", no),
        ("pre_tokenizer/pretokenizers/2", &[Json::Null]),
        ("model/type", &[json!("BPE")]),
        ("model/dropout", &[Json::Null]),
        ("model/ignore_merges", &[json!(false), Json::Null]),
        ("model/continuing_subword_prefix", none),
        ("model/end_of_word_suffix", none),
    ];
    check(json, "tokenizer.json", places)
}

/// GPT-2's letters for the bytes, in order of id: printable bytes stand for
/// themselves and come first, the others are the letters from U+0100 on.
fn byte_letters() -> impl Iterator<Item = char> {
    let printable = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ');
    printable.chain('\u{100}'..='\u{143}')
}

//! A file's vocabulary, read and checked: tokens, merges and control tokens.

use std::collections::HashMap;

use super::bpe::Bpe;
use super::lexicon::Lexicon;
use super::merges::Merges;
use crate::gguf::Metadata;
use crate::{Error, Result};

/// Token types of `tokenizer.ggml.token_type` (`enum llama_token_type` in llama.h).
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const UNUSED: u64 = 5;

/// Most bytes of an ordinary token, Qwen3's longest being 128: two are merged in time of the square.
const MAX_TOKEN: usize = 4096;

/// What a tokenizer is built from.
pub struct Vocabulary {
    pub bpe: Bpe,
    /// Ids of control and user-defined tokens by their text.
    pub control: HashMap<String, u32>,
    /// Number of ids.
    pub size: usize,
}

impl Vocabulary {
    /// Reads the `tokenizer.ggml.*` keys.
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
    pub fn new(tokens: &[&str], merges: &[&str], types: &[u64]) -> Result<Self> {
        let (ordinary, control) = by_text(tokens, types)?;
        let letters = byte_letters();
        let mut bytes = [0; 256];
        for (byte, letter) in letters.iter().enumerate() {
            bytes[byte] = *ordinary.get(&letter.to_string()[..]).ok_or_else(|| {
                let reason = format!("has no token for the byte {byte:#04x}");
                Error::model("tokenizer.ggml.tokens", reason)
            })?;
        }
        let byte_of: HashMap<char, u8> =
            (0..=255).map(|byte| (letters[usize::from(byte)], byte)).collect();
        let mut spelled = vec![Vec::new(); tokens.len()];
        for (token, &id) in &ordinary {
            // What is not spelled in letters for bytes no text can give.
            let token = token.chars().map(|letter| byte_of.get(&letter).copied());
            spelled[id as usize] = token.collect::<Option<Vec<u8>>>().unwrap_or_default();
        }
        if let Some(id) = spelled.iter().position(|token| token.len() > MAX_TOKEN) {
            let reason = format!("has {} bytes; at most {MAX_TOKEN}", spelled[id].len());
            return Err(Error::model(format!("tokenizer.ggml.tokens[{id}]"), reason));
        }
        let merges = merges
            .iter()
            .enumerate()
            .map(|(rank, merge)| read_merge(rank, merge, &ordinary))
            .collect::<Result<Vec<_>>>()?;
        let merges = Merges::new(bytes, merges.into_iter());
        let lexicon = Lexicon::new(spelled.into_iter());
        let control = control.into_iter().map(|(token, id)| (token.to_string(), id)).collect();
        Ok(Self { bpe: Bpe { merges, lexicon }, control, size: tokens.len() })
    }
}

type Ids<'a> = HashMap<&'a str, u32>;

/// Ids of ordinary and of control tokens by their text.
fn by_text<'a>(tokens: &[&'a str], types: &[u64]) -> Result<(Ids<'a>, Ids<'a>)> {
    let (mut ordinary, mut control) = (HashMap::with_capacity(tokens.len()), HashMap::new());
    for (id, (&token, &kind)) in tokens.iter().zip(types).enumerate() {
        let target = match kind {
            UNUSED => continue,
            CONTROL | USER_DEFINED => &mut control,
            _ => &mut ordinary,
        };
        let fail = |reason| Err(Error::model(format!("tokenizer.ggml.tokens[{id}]"), reason));
        if token.is_empty() {
            return fail("is empty".to_string());
        }
        if target.insert(token, id as u32).is_some() {
            return fail(format!("{token:?} stands twice"));
        }
    }
    Ok((ordinary, control))
}

fn required<T>(value: Option<T>, key: &str) -> Result<T> {
    value.ok_or_else(|| Error::model(key, "the key is missing"))
}

/// Ids of a merge's left and right token and of what they become.
fn read_merge(rank: usize, merge: &str, ids: &Ids) -> Result<(u32, u32, u32)> {
    let place = || format!("tokenizer.ggml.merges[{rank}]");
    let (left, right) = merge
        .split_once(' ')
        .ok_or_else(|| Error::model(place(), format!("{merge:?} is not two tokens")))?;
    let id = |token: &str| {
        let id = ids.get(token).copied();
        id.ok_or_else(|| Error::model(place(), format!("{token:?} is not in the vocabulary")))
    };
    Ok((id(left)?, id(right)?, id(&format!("{left}{right}"))?))
}

/// The letter that stands for each byte: itself if it prints, else one from
/// U+0100 on (`bytes_to_unicode` of GPT-2's `encoder.py`).
pub fn byte_letters() -> [char; 256] {
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

//! A template laid out for tokenizing: what precedes the document, and what follows it.

use std::borrow::Cow;

use super::official::{self, OfficialIds};
use super::parse::{self, KEY};
use super::piece::Piece;
use crate::gguf::Metadata;
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Result};

/// The prompt of a model, checked against its vocabulary.
pub struct Template {
    /// The text of the file's own template; `None` if the official one is used.
    own: Option<String>,
    /// What precedes the document.
    pub(crate) before: Vec<Piece>,
    /// Text at the end of that which is tokenized with the document.
    pub(crate) lead: String,
    /// What follows the document.
    pub(crate) after: Vec<Piece>,
    /// Whether `before` may be tokenized apart from `lead` and the document.
    pub(crate) begins_apart: bool,
    /// Whether `after` may be tokenized apart from the document.
    pub(crate) ends_apart: bool,
    length: usize,
}

impl Template {
    /// The template of a file: its own, or the official one if it has none.
    ///
    /// # Errors
    /// As [`parse`](super::parse()); [`Error::InvalidModel`] if the vocabulary lacks a control
    /// token of the template.
    pub fn from_gguf(metadata: &Metadata, tokenizer: &Tokenizer) -> Result<Self> {
        let Some(text) = metadata.text(KEY)? else { return Self::official(tokenizer) };
        let pieces = parse::parse(text)?;
        match parse::is_official(&pieces) {
            true => Self::official(tokenizer),
            false => Self::own(text, pieces, tokenizer),
        }
    }

    /// The official template.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if the vocabulary lacks one of its control tokens.
    pub fn official(tokenizer: &Tokenizer) -> Result<Self> {
        let length = OfficialIds::new(tokenizer)?.len();
        Ok(Self { length, ..Self::lay_out(official::pieces(), tokenizer) })
    }

    fn own(text: &str, pieces: Vec<Piece>, tokenizer: &Tokenizer) -> Result<Self> {
        for piece in &pieces {
            let Piece::Text(text) = piece else { continue };
            for token in control_like(text) {
                tokenizer.control_id(token).map_err(|_| {
                    Error::model(KEY, format!("holds {token}, which the vocabulary lacks"))
                })?;
            }
        }
        let texts = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => &text[..],
            _ => "",
        });
        let length = tokenizer.encode(&texts.collect::<String>(), true, usize::MAX).ids.len();
        let template = Self::lay_out(pieces, tokenizer);
        Ok(Self { own: Some(text.to_string()), length, ..template })
    }

    fn lay_out(pieces: Vec<Piece>, tokenizer: &Tokenizer) -> Self {
        let mut parts = pieces.split(|piece| *piece == Piece::Document);
        let [mut before, after] = [(); 2].map(|()| parts.next().unwrap_or_default().to_vec());
        let mut lead = String::new();
        let begins_apart = match before.last_mut() {
            None => true,
            Some(Piece::Text(text)) => match last_border(text, tokenizer) {
                Some(border) => {
                    lead = text.split_off(border);
                    true
                }
                None => false,
            },
            Some(_) => false,
        };
        let control = &tokenizer.tables.control;
        let ends_apart = matches!(after.first(), Some(Piece::Text(text)) if control.begins(text));
        Self { own: None, before, lead, after, begins_apart, ends_apart, length: 0 }
    }

    /// The text of the file's own template; `None` if the official one is used.
    pub fn own_text(&self) -> Option<&str> {
        self.own.as_deref()
    }

    /// The text, with `{instruction}`, `{query}` and `{document}`, or Jinja expressions of these
    /// names, where those go.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.own {
            Some(own) => Cow::Borrowed(own),
            None => official::text().replace(official::DEFAULT_INSTRUCTION, "{instruction}").into(),
        }
    }

    /// Whether a request may give an instruction.
    pub fn takes_instruction(&self) -> bool {
        [&self.before, &self.after].iter().any(|pieces| pieces.contains(&Piece::Instruction))
    }

    /// Ids of a prompt that are neither instruction nor query nor document; of the official
    /// template, those of [`OfficialIds`].
    #[allow(clippy::len_without_is_empty)] // A template may be short, but that is of no interest.
    pub fn len(&self) -> usize {
        self.length
    }
}

/// The last place of a text at which the pattern splits whatever follows the text: where a
/// control token ends, or between a character that is not white space and a space.
fn last_border(text: &str, tokenizer: &Tokenizer) -> Option<usize> {
    let classes = &tokenizer.tables.classes;
    let spaces = text.match_indices([' ', '\t']).map(|(at, _)| at);
    let space = spaces.rev().find(|&at| {
        text[..at].chars().next_back().is_some_and(|before| !classes.of(before).is_white())
    });
    space.max(tokenizer.tables.control.last_end(text))
}

/// The parts of a text that look like control tokens: `<|…|>`.
fn control_like(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("<|").filter_map(move |(start, _)| {
        let length = text[start..].find("|>")? + 2;
        let token = &text[start..start + length];
        (!token.contains(char::is_whitespace)).then_some(token)
    })
}

//! The official template, byte for byte. These constants decide scores.
//!
//! Source: the Transformers example in the README of QwenLM/Qwen3-Embedding,
//! `format_instruction` and the strings `prefix` and `suffix` beside it. That README's
//! vLLM example joins the parts with blank lines instead; this is the form
//! that llama.cpp's rerank template and vLLM's own template use too.

use super::piece::Piece;
use crate::Result;
use crate::prompt::tokenizer::Tokenizer;

/// What stands before the content: the system turn and the start of the user turn.
pub const PREFIX: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";

/// What stands behind the content: the assistant's turn up to its one-word answer.
pub const SUFFIX: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

/// The instruction used where a request gives none.
pub const DEFAULT_INSTRUCTION: &str =
    "Given a web search query, retrieve relevant passages that answer the query";

/// The control tokens of [`PREFIX`] and [`SUFFIX`], each one id in a Qwen3 vocabulary.
pub const CONTROL_TOKENS: [&str; 4] = ["<|im_start|>", "<|im_end|>", "<think>", "</think>"];

/// The two answers, each one id in a Qwen3 vocabulary.
pub const YES: &str = "yes";
/// See [`YES`].
pub const NO: &str = "no";

/// The content up to the document's part, which all documents of a request share.
pub fn content_prefix(instruction: &str, query: &str) -> String {
    format!("<Instruct>: {instruction}\n<Query>: {query}\n<Document>:")
}

/// The part of the content that is a document's own; it follows [`content_prefix`].
pub fn document_part(document: &str) -> String {
    format!(" {document}")
}

/// The whole template in llama.cpp's form, the default instruction written out, as rerank
/// conversions carry it.
pub fn text() -> String {
    let content = content_prefix(DEFAULT_INSTRUCTION, "{query}") + &document_part("{document}");
    [PREFIX, &content, SUFFIX].concat()
}

/// The template in pieces. The reference tokenizes [`PREFIX`], content and [`SUFFIX`] apart.
pub(super) fn pieces() -> Vec<Piece> {
    let text = |text: &str| Piece::Text(text.to_string());
    vec![
        text(PREFIX),
        Piece::Boundary,
        text("<Instruct>: "),
        Piece::Instruction,
        text("\n<Query>: "),
        Piece::Query,
        text("\n<Document>: "),
        Piece::Document,
        text(SUFFIX),
    ]
}

/// Ids of [`PREFIX`] and [`SUFFIX`], which the reference tokenizes apart from the content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfficialIds {
    /// Ids before the content.
    pub prefix: Vec<u32>,
    /// Ids after the content.
    pub suffix: Vec<u32>,
}

impl OfficialIds {
    /// The ids in a vocabulary.
    ///
    /// # Errors
    /// [`Error::InvalidModel`](crate::Error::InvalidModel) if it lacks one of [`CONTROL_TOKENS`].
    pub fn new(tokenizer: &Tokenizer) -> Result<Self> {
        for token in CONTROL_TOKENS {
            tokenizer.control_id(token)?;
        }
        let ids = |text| tokenizer.encode(text, true, usize::MAX).ids;
        Ok(Self { prefix: ids(PREFIX), suffix: ids(SUFFIX) })
    }

    /// Number of ids on both sides.
    #[allow(clippy::len_without_is_empty)] // They are never empty.
    pub fn len(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }
}

/// Whether a text looks as if its caller had put it into the template already.
pub fn looks_templated(text: &str) -> bool {
    let start = text.trim_start();
    ["<Instruct>:", "<Query>:", "<Document>:", "<|im_start|>"]
        .iter()
        .any(|mark| start.starts_with(mark))
}

/// A templated query without [`PREFIX`], which it may begin with, and ending its line.
pub fn templated_query(query: &str) -> String {
    let content = query.strip_prefix(PREFIX).unwrap_or(query);
    if content.ends_with('\n') { content.to_string() } else { format!("{content}\n") }
}

/// A templated document without [`SUFFIX`], which it may end with.
pub fn templated_document(document: &str) -> &str {
    document.strip_suffix(SUFFIX).unwrap_or(document)
}

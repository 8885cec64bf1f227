//! The official prompt, byte for byte. These constants decide scores.
//!
//! Source: the Transformers example in the README of QwenLM/Qwen3-Embedding,
//! `format_instruction` and the two frame strings beside it. That README's
//! vLLM example joins the parts with blank lines instead; this is the form
//! that llama.cpp's rerank template and vLLM's own template use too.

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

/// The part of the content that all documents of a request share.
pub fn head(instruction: &str, query: &str) -> String {
    format!("<Instruct>: {instruction}\n<Query>: {query}\n<Document>:")
}

/// The part of the content that is a document's own; it follows [`head`].
pub fn tail(document: &str) -> String {
    format!(" {document}")
}

/// Whether a text looks as if its caller had put it into the template already.
pub fn looks_templated(text: &str) -> bool {
    let start = text.trim_start();
    ["<Instruct>:", "<Query>:", "<Document>:", "<|im_start|>"]
        .iter()
        .any(|mark| start.starts_with(mark))
}

/// The head that a templated query is: without the frame ([`PREFIX`] at its
/// start) if it carries that, and ending its line.
pub fn templated_head(query: &str) -> String {
    let head = query.strip_prefix(PREFIX).unwrap_or(query);
    if head.ends_with('\n') { head.to_string() } else { format!("{head}\n") }
}

/// A templated document without the frame ([`SUFFIX`] at its end) that it may carry.
pub fn strip_suffix(document: &str) -> &str {
    document.strip_suffix(SUFFIX).unwrap_or(document)
}

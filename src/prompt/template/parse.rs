//! The text of a template to its pieces.

use super::official;
use super::piece::Piece;
use crate::{Error, Result};

/// The key under which a file carries its own template.
pub const KEY: &str = "tokenizer.chat_template.rerank";

/// Reads a template in llama.cpp's form, whose variables are `{query}`, `{document}` and
/// `{instruction}`, or with these as Jinja expressions (`{{ query }}`).
///
/// # Errors
/// [`Error::UnsupportedModel`] naming a Jinja statement, comment or other expression, a variable
/// that is none of these, or what is missing: the query once or more, the document once.
pub fn parse(text: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        match tag(rest)? {
            Some((piece, length)) => {
                push_text(&mut pieces, &mut literal);
                pieces.push(piece);
                rest = &rest[length..];
            }
            None => {
                literal.push('{');
                rest = &rest[1..];
            }
        }
    }
    literal.push_str(rest);
    push_text(&mut pieces, &mut literal);
    check(&pieces)?;
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Text(std::mem::take(literal)));
    }
}

/// The variable that `text`, which begins with a brace, begins with, and its length; `None` if
/// the brace is text.
fn tag(text: &str) -> Result<Option<(Piece, usize)>> {
    for (open, close, name) in [("{%", "%}", "statement"), ("{#", "#}", "comment")] {
        if text.starts_with(open) {
            let end = text.find(close).map_or(text.len(), |end| end + close.len());
            return Err(unsupported(&format!("holds the Jinja {name} {}", &text[..end])));
        }
    }
    if let Some(inner) = text.strip_prefix("{{") {
        let Some(end) = inner.find("}}") else {
            return Err(unsupported("holds {{ without }}"));
        };
        return match variable(inner[..end].trim()) {
            Some(piece) => Ok(Some((piece, end + 4))),
            None => Err(unsupported(&format!("holds the expression {}", &text[..end + 4]))),
        };
    }
    let Some(end) = text.find('}') else { return Ok(None) };
    let name = &text[1..end];
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return Ok(None);
    }
    match variable(name) {
        Some(piece) => Ok(Some((piece, end + 1))),
        None => Err(unsupported(&format!("holds the variable {{{name}}}"))),
    }
}

fn variable(name: &str) -> Option<Piece> {
    match name {
        "query" => Some(Piece::Query),
        "document" => Some(Piece::Document),
        "instruction" => Some(Piece::Instruction),
        _ => None,
    }
}

fn check(pieces: &[Piece]) -> Result<()> {
    let count = |piece| pieces.iter().filter(|&each| *each == piece).count();
    match (count(Piece::Query), count(Piece::Document)) {
        (1.., 1) => Ok(()),
        (0, _) => Err(unsupported("has no {query}")),
        (_, 0) => Err(unsupported("has no {document}")),
        (_, documents) => Err(unsupported(&format!("has {{document}} {documents} times"))),
    }
}

fn unsupported(what: &str) -> Error {
    let can = "a template may hold text, {query}, {document} once, and {instruction}";
    Error::UnsupportedModel(format!("{KEY} {what}; {can}"))
}

/// Whether the pieces are the official template's, its default instruction written out or not.
pub fn is_official(pieces: &[Piece]) -> bool {
    let written_out = |pieces: &[Piece]| {
        let mut text = String::new();
        for piece in pieces {
            text.push_str(match piece {
                Piece::Text(piece) => piece,
                Piece::Boundary => "",
                Piece::Instruction => official::DEFAULT_INSTRUCTION,
                Piece::Query => "{query}",
                Piece::Document => "{document}",
            });
        }
        text
    };
    written_out(pieces) == official::text()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.into())
    }

    #[test]
    fn variables_are_found_in_both_forms() {
        let expected =
            [text("a "), Piece::Instruction, text("{ \"k\": 1 } "), Piece::Query, Piece::Document];
        for form in [
            "a {instruction}{ \"k\": 1 } {query}{document}",
            "a {{ instruction }}{ \"k\": 1 } {{query}}{{  document }}",
        ] {
            assert_eq!(parse(form).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_unsupported_is_named() {
        for (template, said) in [
            ("{% if x %}{query}{document}", "the Jinja statement {% if x %};"),
            ("{% for", "the Jinja statement {% for;"),
            ("{# note #}{query}{document}", "the Jinja comment {# note #};"),
            ("{{ messages[0] }}{document}", "the expression {{ messages[0] }};"),
            ("{{ query | trim }}{document}", "the expression {{ query | trim }};"),
            ("{{ query", "{{ without }}"),
            ("{query}{document}{title}", "the variable {title};"),
            ("{document}", "has no {query};"),
            ("{query}", "has no {document};"),
            ("{query}{document}{document}", "has {document} 2 times;"),
        ] {
            let error = parse(template).unwrap_err();
            assert_eq!(error.kind(), "unsupported_model");
            assert!(error.to_string().contains(said), "{template}: {error}");
        }
    }

    #[test]
    fn the_official_template_is_known_with_its_instruction_written_out_or_not() {
        let written_out = official::text();
        let open = written_out.replace(official::DEFAULT_INSTRUCTION, "{instruction}");
        let jinja = open.replace('{', "{{ ").replace('}', " }}");
        for template in [&written_out, &open, &jinja] {
            assert!(is_official(&parse(template).unwrap()), "{template}");
        }
        let other = written_out.replace("Given", "given");
        assert!(!is_official(&parse(&other).unwrap()));
    }
}

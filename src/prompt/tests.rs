//! Prompts of requests, against texts put together and tokenized as a whole.

use std::io::Cursor;
use std::sync::Arc;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::encode::Encoder;
use super::prompts::Prompts;
use super::template::{DEFAULT_INSTRUCTION, PREFIX, Piece, Template};
use super::tokenizer::Tokenizer;
use crate::gguf::{Metadata, Reader, Value};
use crate::{RerankRequest, Result};

const KEY: &str = "tokenizer.chat_template.rerank";
const TEXTS: [&str; 7] = [
    "",
    "Paris",
    " two  spaces ",
    "e\u{301}\u{338} 👩‍👩‍👧",
    "<|im_end|>\nyes",
    "\n\n\u{3000}?\n",
    "'s {query} {{ document }}",
];
/// Templates of other models: document last or first, borders that tokens cross, nothing between.
const OWN: [&str; 6] = [
    "<|im_start|>Task: {instruction}\nFind {query}\nin{document}<|im_end|>",
    "<|im_start|>Document: {document}\nQuery: {query}\nRelevant:<think>",
    "{query}{document}",
    "{document}?\n{{ instruction }} {{query}}\n",
    "Q: {query}\n\n{document}\n\nA:",
    "{query}<think>{document} or {query}<|im_end|>\n",
];

fn metadata() -> Metadata {
    let file = include_bytes!("../../tests/fixtures/qwen3-rerank-untrained.gguf");
    Reader::new(Cursor::new(file)).unwrap().metadata
}

fn with_template(text: &str) -> Result<(Tokenizer, Template)> {
    let mut metadata = metadata();
    metadata.0.insert(KEY.into(), Value::String(text.into()));
    let tokenizer = Tokenizer::from_gguf(&metadata)?;
    let template = Template::from_gguf(&metadata, &tokenizer)?;
    Ok((tokenizer, template))
}

fn official() -> (Tokenizer, Template) {
    let metadata = metadata();
    let tokenizer = Tokenizer::from_gguf(&metadata).unwrap();
    let template = Template::from_gguf(&metadata, &tokenizer).unwrap();
    (tokenizer, template)
}

fn encode(
    (tokenizer, template): &(Tokenizer, Template),
    max_length: usize,
    request: &RerankRequest,
) -> Result<Prompts> {
    let mut encoder = Encoder::new(template, max_length, Arc::new(request.clone()))?;
    while encoder.step(tokenizer)? {}
    Ok(encoder.finish())
}

/// Ids of some pieces as texts: control tokens of the template cut them, all else is plain.
fn ids(
    tokenizer: &Tokenizer,
    pieces: &[Piece],
    request: &RerankRequest,
    document: &str,
) -> Vec<u32> {
    // Control characters that stand for control tokens, since no text here holds them.
    let tokens = [
        ("<|im_start|>", "\u{1}"),
        ("<|im_end|>", "\u{2}"),
        ("<think>", "\u{3}"),
        ("</think>", "\u{4}"),
    ];
    let marked = |text: &str| {
        tokens.iter().fold(text.to_string(), |text, (token, mark)| text.replace(token, mark))
    };
    let user = |text: &str| if request.control_tokens { marked(text) } else { text.to_string() };
    let text: String = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => marked(text),
            Piece::Boundary => "\u{5}".into(),
            Piece::Instruction => {
                user(request.instruction.as_deref().unwrap_or(DEFAULT_INSTRUCTION))
            }
            Piece::Query => user(&request.query),
            Piece::Document => user(document),
        })
        .collect();
    let mut ids = Vec::new();
    let mut rest = &text[..];
    while let Some(at) = rest.find(|c| ('\u{1}'..='\u{5}').contains(&c)) {
        ids.extend(tokenizer.encode(&rest[..at], false, usize::MAX).ids);
        let token = tokens.iter().find(|(_, mark)| rest[at..].starts_with(mark));
        ids.extend(token.map(|(token, _)| tokenizer.control_id(token).unwrap()));
        rest = &rest[at + 1..];
    }
    ids.extend(tokenizer.encode(rest, false, usize::MAX).ids);
    ids
}

/// Holds every prompt of a request against the template's text with the request's filled in:
/// tokenized as a whole if that fits, else up to the document's end, cut, and from there on.
fn assert_prompts(model: &(Tokenizer, Template), request: &RerankRequest, max_length: usize) {
    let (tokenizer, template) = model;
    let prompts = encode(model, max_length, request).unwrap();
    let ids =
        |pieces: &[&[Piece]], document: &str| ids(tokenizer, &pieces.concat(), request, document);
    let Template { before, lead, after, .. } = template;
    let own = [Piece::Text(lead.clone()), Piece::Document];
    let (start, end) = (ids(&[before], ""), ids(&[after], ""));
    let room = max_length - start.len() - end.len();
    let most = start.len() + request.max_tokens_per_doc.map_or(room, |limit| limit.min(room));
    for (document, &(sequence, truncated)) in request.documents.iter().zip(&prompts.documents) {
        let content = ids(&[before, &own], document);
        let whole = ids(&[before, &own, after], document);
        let cut = content.len() > most;
        let expected = match cut || whole.len() > max_length {
            true => [&content[..content.len().min(most)], &end].concat(),
            false => whole,
        };
        let found = [&prompts.shared[..], &prompts.sequences[sequence]].concat();
        let place = format!("{:?} {document:?} {max_length}", template.own_text());
        assert_eq!(found, expected, "{place}");
        assert_eq!(truncated, cut, "{place}");
        assert!(found.len() <= max_length && !prompts.sequences[sequence].is_empty(), "{place}");
    }
}

#[test]
fn prompts_are_the_templates_with_the_texts_filled_in() {
    let long = "word ".repeat(300);
    let documents: Vec<String> = TEXTS.iter().copied().chain([&*long]).map(String::from).collect();
    let models = OWN.iter().map(|text| with_template(text).unwrap()).chain([official()]);
    for model in models {
        for query in &TEXTS[1..] {
            for control in [false, true] {
                let mut request = RerankRequest::new(*query, documents.clone());
                request.control_tokens = control;
                assert_prompts(&model, &request, 8192);
                request.max_tokens_per_doc = Some(3);
                assert_prompts(&model, &request, 8192);
                request.max_tokens_per_doc = None;
                if model.1.takes_instruction() {
                    request.instruction = Some("Find <think> it".into());
                }
                assert_prompts(&model, &request, 150);
            }
        }
    }
}

#[test]
fn the_official_template_is_one_text_between_prefix_and_suffix() {
    let (tokenizer, template) = official();
    assert_eq!((template.own_text(), template.takes_instruction()), (None, true));
    assert!(template.begins_apart && template.ends_apart && template.lead == " ");
    assert_eq!(template.before[0], Piece::Text(PREFIX.into()));
    let length = tokenizer.encode(&super::template::text(), true, usize::MAX).ids.len();
    assert!(template.len() < length);
}

#[test]
fn what_precedes_a_document_is_tokenized_once_where_no_token_can_cross() {
    let apart = OWN.map(|text| with_template(text).unwrap().1.begins_apart);
    assert_eq!(apart, [false, true, false, true, false, true]);
    let apart = OWN.map(|text| with_template(text).unwrap().1.ends_apart);
    assert_eq!(apart, [true, false, false, false, false, false]);
    for (text, before, lead) in [
        ("Q: {query}\nin the \t {document}", "\nin the", " \t "),
        ("{query}: {document}", ":", " "),
        ("{query}\n {document}", "\n ", ""),
        ("{query}a\u{3000} {document}", "a\u{3000} ", ""),
        ("{query}a <think>\n{document}", "a <think>", "\n"),
    ] {
        let (_, template) = with_template(text).unwrap();
        let last = template.before.last();
        assert_eq!((last, &*template.lead), (Some(&Piece::Text(before.into())), lead), "{text}");
    }
}

#[test]
fn what_a_template_lacks_is_refused() {
    let model = with_template(OWN[1]).unwrap();
    let refused = |change: fn(&mut RerankRequest)| {
        let mut request = RerankRequest::new("q", vec!["d".into()]);
        change(&mut request);
        encode(&model, 100, &request).map(|_| ()).unwrap_err().to_string()
    };
    let said = refused(|request| request.instruction = Some("i".into()));
    assert!(
        said.starts_with("instruction: this model's own prompt template has no place"),
        "{said}"
    );
    let said = refused(|request| request.templated = true);
    assert!(said.starts_with("templated: this model has a prompt template of its own"), "{said}");
    let said = refused(|request| request.query = "word ".repeat(100));
    assert!(said.starts_with("query: is too long"), "{said}");
    let error = with_template("<|no_such|>{query}{document}").map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("holds <|no_such|>, which the vocabulary lacks"), "{error}");
}

#[test]
fn what_prompts_share_is_kept_apart_once() {
    let documents = vec!["one".to_string(), "two".into(), "one".into()];
    let prompts = encode(&official(), 8192, &RerankRequest::new("query", documents)).unwrap();
    assert_eq!(prompts.documents, [(0, false), (1, false), (0, false)]);
    assert_eq!(prompts.sequences.len(), 2);
    assert!(prompts.shared.len() > 40);
}

#[test]
fn a_step_takes_a_bounded_part_of_any_text() {
    let (tokenizer, template) = official();
    let long = || "ACGT".repeat(1 << 18);
    let mut with_instruction = RerankRequest::new("q", vec!["d".into()]);
    with_instruction.instruction = Some(long());
    for (request, fails) in [
        (RerankRequest::new("q", vec![long(); 3]), false),
        (RerankRequest::new("q", vec!["a few words".into(); 10_000]), false),
        (RerankRequest::new(long(), vec!["d".into()]), true),
        (with_instruction, true),
    ] {
        // No limit ends the texts early.
        let request = Arc::new(request);
        let max_length = if fails { 200_000 } else { 10_000_000 };
        let mut encoder = Encoder::new(&template, max_length, request.clone()).unwrap();
        let mut steps = 0;
        let failed = loop {
            match encoder.step(&tokenizer) {
                Ok(true) => steps += 1,
                Ok(false) => break false,
                Err(_) => break true,
            }
        };
        assert_eq!(failed, fails);
        assert!(steps >= 3, "{steps} steps");
    }
}

//! Text to ids, against the real tokenizer.json.

use std::io::Cursor;
use std::sync::LazyLock;

use qwen3_rerank::gguf::Reader;
use qwen3_rerank::prompt::template::{self, OfficialIds};
use qwen3_rerank::prompt::tokenizer::Tokenizer;
use qwen3_rerank::{RerankRequest, Reranker};

use crate::golden::{Dimensions, GOLDEN, Prompt, load};

/// The smallest model file that has the whole vocabulary.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dimensions = r#"{"vocabulary": "full", "hidden": 32, "ffn": 32, "layers": 1}"#;
    serde_json::from_str::<Dimensions>(dimensions).unwrap().file("q8_0", 0)
});

fn tokenizer() -> Tokenizer {
    Tokenizer::from_gguf(&Reader::new(Cursor::new(&FILE[..])).unwrap().metadata).unwrap()
}

#[test]
fn strings_have_the_ids_of_tokenizer_json() {
    let tokenizer = tokenizer();
    let mut wrong = Vec::new();
    for text in &GOLDEN.texts {
        for (control, expected) in
            [(true, &text.ids), (false, text.plain.as_ref().unwrap_or(&text.ids))]
        {
            let ids = tokenizer.encode(&text.text, control, usize::MAX).ids;
            if expected != &ids[..] {
                let shown: String = text.text.chars().take(80).collect();
                wrong.push(format!("{shown:?} control {control}: {ids:?}, not {expected:?}"));
            }
        }
    }
    println!("ids of {} strings in two ways: {} differ", GOLDEN.texts.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn prompts_have_the_ids_of_the_official_steps() {
    let tokenizer = tokenizer();
    let official = OfficialIds::new(&tokenizer).unwrap();
    let mut wrong = Vec::new();
    for case in &GOLDEN.prompts {
        let instruction = case.instruction.as_deref().unwrap_or(template::DEFAULT_INSTRUCTION);
        let content = template::content_prefix(instruction, &case.query)
            + &template::document_part(&case.document);
        let limit = case.max_length - official.len();
        for (control, expected) in
            [(true, &case.ids), (false, case.plain.as_ref().unwrap_or(&case.ids))]
        {
            let content = tokenizer.encode(&content, control, limit).ids;
            let ids = [&official.prefix[..], &content, &official.suffix].concat();
            if expected != &ids[..] {
                wrong.push(format!("{:?} {:?} control {control}", case.query, case.max_length));
            }
        }
    }
    println!("ids of {} prompts in two ways: {} differ", GOLDEN.prompts.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Texts that have no end to their words, runs of white space or marks, 30 MB of each: the ids
/// up to the limit are those of a beginning that is much longer than they are.
#[test]
fn texts_without_end_have_the_ids_of_their_beginning() {
    let tokenizer = tokenizer();
    for unit in [
        "ACGT",
        "GATTACA",
        "a",
        " ",
        "\n",
        "=",
        "-_",
        "漢字假名交文",
        "\u{301}",
        "e\u{323}\u{302}",
        "\u{a0}",
    ] {
        let text = unit.repeat((30 << 20) / unit.len());
        let start = std::time::Instant::now();
        let found = tokenizer.encode(&text, false, 8144);
        let seconds = start.elapsed().as_secs_f32();
        assert!(found.truncated && found.ids.len() == 8144, "{unit:?}");
        let mut end = text.len() / 10;
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let beginning = tokenizer.encode(&text[..end], false, 9000);
        assert!(beginning.ids.starts_with(&found.ids), "{unit:?}");
        println!("{unit:?}: {seconds:.3} s for the first 8144 ids of 30 MB");
    }
}

/// The same through the whole pipeline, as far as its answer tells: the number of ids, and the cut.
#[test]
fn prompts_have_the_length_of_the_official_ones() {
    let mut lengths: Vec<usize> = GOLDEN.prompts.iter().map(|case| case.max_length).collect();
    lengths.sort();
    lengths.dedup();
    for max_length in lengths {
        let reranker = load(&FILE, max_length);
        for case in GOLDEN.prompts.iter().filter(|case| case.max_length == max_length) {
            check_length(&reranker, case, false);
            check_length(&reranker, case, true);
        }
    }
}

fn check_length(reranker: &Reranker, case: &Prompt, control: bool) {
    let mut request = RerankRequest::new(&case.query, vec![case.document.clone()]);
    request.instruction.clone_from(&case.instruction);
    request.control_tokens = control;
    let place = format!("{:?} max_length {}", case.query, case.max_length);
    let ids = match &case.plain {
        Some(plain) if !control => plain,
        _ => &case.ids,
    };
    match reranker.rerank(&request) {
        Ok(ranking) => {
            let score = ranking.results[0].score;
            assert_eq!(score.tokens, ids.len(), "{place}");
            assert!(!score.truncated || score.tokens == case.max_length, "{place}");
        }
        // The official code scores a prompt without any document then; we refuse.
        Err(error) => {
            assert!(ids.len() == case.max_length, "{place}: {error}");
            assert_eq!(error.field(), Some("query"), "{place}: {error}");
        }
    }
}

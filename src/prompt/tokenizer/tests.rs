//! The whole tokenizer, against the tokenizers crate.

use super::vocabulary::byte_letters;
use super::*;

/// Bytes, and merges that make "yes" and two spaces single tokens.
fn tokenizer() -> Tokenizer {
    let mut tokens: Vec<String> = byte_letters().iter().map(char::to_string).collect();
    tokens.extend(["ye", "yes", "ĠĠ", "<|a|>", "<|a|>b"].map(String::from));
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let mut types = vec![1; tokens.len()];
    types[259] = 3;
    types[260] = 4;
    let vocabulary = Vocabulary::new(&tokens, &["y e", "ye s", "Ġ Ġ"], &types);
    Tokenizer::new(vocabulary.unwrap()).unwrap()
}

#[test]
fn control_tokens_only_where_asked_for() {
    let tokenizer = tokenizer();
    let ids = |control| tokenizer.encode("<|a|>byes", control, 100).ids;
    assert_eq!(ids(true), [260, 257]);
    assert_eq!(ids(false).len(), 9 - 3 + 1);
    assert!(ids(false).iter().all(|&id| id < 259));
}

#[test]
fn control_tokens_are_found_across_pieces() {
    let tokenizer = tokenizer();
    let ids = |cuts: &[(&str, bool)]| {
        let mut stream = Stream::new(&tokenizer.tables, 100);
        cuts.iter().for_each(|(piece, control)| stream.push(&tokenizer.tables, piece, *control));
        stream.finish(&tokenizer.tables).ids
    };
    let whole = ids(&[("y<|a|>b yes<|a|>", true)]);
    assert_eq!(whole.iter().filter(|&&id| id >= 259).collect::<Vec<_>>(), [&260, &259]);
    assert_eq!(ids(&[("y<", true), ("|a", true), ("|>", true), ("b yes<|a|>", true)]), whole);
    // A control token is not completed by text that may hold none.
    let text = ids(&[("y<|a|", true), (">b yes", false), ("<|a|>", true)]);
    assert_eq!(text.iter().filter(|&&id| id >= 259).count(), 1);
    // Words go on from one kind of text to the other.
    assert_eq!(ids(&[("ye", true), ("s", false)]), [257]);
}

#[test]
fn limit_cuts_on_the_right() {
    let tokenizer = tokenizer();
    let whole = tokenizer.encode("yes no yes", true, 100);
    for limit in 0..=whole.ids.len() {
        let cut = tokenizer.encode("yes no yes", true, limit);
        assert_eq!(cut.ids, whole.ids[..limit]);
        assert_eq!(cut.truncated, limit < whole.ids.len());
    }
}

#[test]
fn text_is_normalised() {
    let tokenizer = tokenizer();
    let ids = |text| tokenizer.encode(text, false, 100).ids;
    assert_eq!(ids("e\u{301}"), ids("\u{e9}"));
}

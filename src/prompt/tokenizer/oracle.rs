//! The tokenizer against the tokenizers crate, on vocabularies and texts made to be hard.

use proptest::prelude::*;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer as Reference};

use super::vocabulary::byte_letters;
use super::words::PATTERN;
use super::*;

const CONTROL: [&str; 3] = ["<|a|>", "<|a|>b", "|>c"];

/// The same vocabulary for both: the bytes, what `merges` make of them, and [`CONTROL`].
fn both(merges: &[(String, String)]) -> (Tokenizer, Reference) {
    let mut tokens: Vec<String> = byte_letters().iter().map(char::to_string).collect();
    for (left, right) in merges {
        let token = format!("{left}{right}");
        if !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    let mut types = vec![1; tokens.len()];
    tokens.extend(CONTROL.map(String::from));
    types.resize(tokens.len(), 3);
    let texts: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let lines: Vec<String> = merges.iter().map(|(left, right)| format!("{left} {right}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let ours = Tokenizer::new(Vocabulary::new(&texts, &lines, &types).unwrap()).unwrap();

    let ids = tokens.into_iter().zip(0..).collect::<std::collections::HashMap<_, u32>>();
    let bpe = BPE::new(ids.into_iter().collect(), merges.to_vec());
    let mut reference = Reference::new(bpe);
    reference.with_normalizer(Some(NFC)).unwrap();
    let pattern = SplitPattern::Regex(PATTERN.into());
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).unwrap();
    let stages = vec![split.into(), ByteLevel::new(false, true, false).into()];
    reference.with_pre_tokenizer(Some(Sequence::new(stages)));
    let special = CONTROL.map(|token| AddedToken::from(token, true));
    reference.add_special_tokens(special).unwrap();
    (ours, reference)
}

fn expected(reference: &Reference, text: &str) -> Vec<u32> {
    reference.encode(text, false).unwrap().get_ids().to_vec()
}

/// The ids of a text that comes in pieces of some lengths, again and again.
fn by_pieces(tokenizer: &Tokenizer, text: &str, lengths: &[usize], limit: usize) -> Encoding {
    let mut stream = Stream::new(&tokenizer.tables, limit);
    let mut at = 0;
    for length in lengths.iter().cycle() {
        if at == text.len() || stream.is_full() {
            break;
        }
        let mut end = (at + length).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        stream.push(&tokenizer.tables, &text[at..end], true);
        at = end;
    }
    stream.finish(&tokenizer.tables)
}

/// Draws numbers below a limit.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Merges of letters, some of them of tokens that only better merges or worse ones make, in an
/// order that need not be that in which tokens come about.
fn merges(draw: &mut Draw, letters: &[&str], count: usize) -> Vec<(String, String)> {
    let mut tokens: Vec<String> = letters.iter().map(|letter| letter.to_string()).collect();
    let mut merges = Vec::new();
    for _ in 0..count {
        let pick = |draw: &mut Draw| tokens[draw.below(tokens.len())].clone();
        let (left, right) = (pick(draw), pick(draw));
        if left.len() + right.len() <= 40 {
            tokens.push(format!("{left}{right}"));
            merges.push((left, right));
        }
    }
    if draw.below(2) == 0 {
        for at in 0..merges.len() {
            let other = draw.below(merges.len());
            merges.swap(at, other);
        }
    }
    merges
}

/// A word without an end in sight: letters at random, or a few of them again and again, or both.
fn word(draw: &mut Draw, letters: &[&str], length: usize) -> String {
    let mut word = String::new();
    while word.len() < length {
        let period: String =
            (0..1 + draw.below(7)).map(|_| letters[draw.below(letters.len())]).collect();
        let times = [1, 3, 700][draw.below(3)];
        word += &period.repeat(times);
    }
    word.truncate(length);
    word
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_long_word_has_the_ids_of_the_whole(
        seed in any::<u64>(), count in 1_usize..60, length in 200_usize..30_000,
        pieces in proptest::collection::vec(1_usize..9_000, 1..4),
    ) {
        let mut draw = Draw(seed);
        let letters = &["a", "b", "c"][..1 + draw.below(3)];
        let (ours, reference) = both(&merges(&mut draw, letters, count));
        let word = word(&mut draw, letters, length);
        let whole = expected(&reference, &word);
        prop_assert_eq!(&by_pieces(&ours, &word, &pieces, usize::MAX).ids, &whole);
        // Cut: the first ids, found from the word's beginning.
        let limit = 1 + draw.below(whole.len());
        let cut = by_pieces(&ours, &word, &pieces, limit);
        prop_assert_eq!(cut.truncated, limit < whole.len());
        prop_assert_eq!(cut.ids, &whole[..limit]);
    }
}

/// Texts of what the stages tell apart.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-cA-C ']{1,9}",
        2 => "[ \t\r\n\u{a0}\u{3000}]{1,9}",
        2 => "\\PC{1,9}",
        1 => "[\u{300}-\u{345}\u{1100}-\u{1112}\u{1161}-\u{1175}\u{11a8}-\u{11c2}가é]{1,9}",
        2 => proptest::sample::select(vec![
            "<|a|>", "<|a|>b", "<|a", "|>c", "'s", "'LL", "'ve", "'ſ", "?!", "12", "\u{338}", "=",
            "\u{958}", "\u{fb2a}", "...\n\n", "  \n \n ", "한글", "漢字",
        ]).prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn text_in_pieces_has_the_ids_of_the_whole(
        text in text(), pieces in proptest::collection::vec(1_usize..12, 1..4), limit in 0_usize..40,
    ) {
        thread_local! {
            static BOTH: (Tokenizer, Reference) = {
                let letters = ["a", "b", "c", "Ġ", "Ċ", "'", "Ì", "A"];
                both(&merges(&mut Draw(1), &letters, 40))
            };
        }
        BOTH.with(|(ours, reference)| {
            let whole = expected(reference, &text);
            let cut = by_pieces(ours, &text, &pieces, limit);
            prop_assert_eq!(cut.truncated, limit < whole.len());
            prop_assert_eq!(&cut.ids, &whole[..limit.min(whole.len())]);
            prop_assert_eq!(&by_pieces(ours, &text, &pieces, usize::MAX).ids, &whole);
            prop_assert_eq!(&ours.encode(&text, true, usize::MAX).ids, &whole);
            Ok(())
        })?;
    }
}

/// White space, marks and letters without end are held, looked at and merged up to a limit.
#[test]
fn what_has_no_end_takes_memory_of_the_limit() {
    let (ours, _) = both(&[("a".into(), "a".into()), ("Ġ".into(), "Ġ".into())]);
    for unit in ["a", " ", "\n", "\u{301}", "漢", "?", "\u{1161}", "ab"] {
        let text = unit.repeat((4 << 20) / unit.len());
        let mut stream = Stream::new(&ours.tables, 100);
        let mut taken = 0;
        while taken < text.len() && !stream.is_full() {
            let piece = piece(&text, taken);
            stream.push(&ours.tables, piece, true);
            taken += piece.len();
        }
        assert!(stream.is_full() && taken < 400 << 10, "{unit:?}: {taken} bytes were taken");
    }
}

//! NFC of a text that comes in pieces.

use unicode_normalization_alignments::char::canonical_combining_class;
use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Most bytes of characters in a row that NFC may compose or put in another order; of a longer
/// run, so many are normalised without the rest. Unicode's stream-safe format allows 30 such characters.
pub const MAX_RUN: usize = 256 << 10;

/// Normalises pieces, holding back what the next piece may change.
#[derive(Default)]
pub struct Normaliser {
    held: String,
}

impl Normaliser {
    /// Takes the next piece of the text; appends to `out` what no later piece can change.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        self.held.push_str(piece);
        let stable = self.held.char_indices().rev().find(|&(_, c)| is_stable(c));
        let end = match stable {
            Some((place @ 1.., _)) => place,
            _ if self.held.len() > MAX_RUN => self.held.len(),
            _ => 0,
        };
        normalise(&self.held[..end], out);
        self.held.drain(..end);
    }

    /// Appends the rest.
    pub fn finish(&mut self, out: &mut String) {
        normalise(&self.held, out);
        self.held.clear();
    }
}

/// Whether NFC never combines `c`, or moves it, with what precedes it, so that the texts before
/// it and from it on may be normalised apart: a starter whose NFC_Quick_Check is Yes
/// (Unicode Standard Annex 15, section 9).
fn is_stable(c: char) -> bool {
    c.is_ascii()
        || canonical_combining_class(c) == 0
            && is_nfc_quick(std::iter::once(c)) == IsNormalized::Yes
}

fn normalise(text: &str, out: &mut String) {
    if text.is_ascii() {
        out.push_str(text);
    } else {
        out.extend(text.nfc().map(|(c, _)| c));
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn whole(text: &str) -> String {
        text.nfc().map(|(c, _)| c).collect()
    }

    /// The text normalised in pieces of `chars` characters.
    fn pieces(text: &str, chars: usize) -> String {
        let (mut normaliser, mut out) = (Normaliser::default(), String::new());
        let text: Vec<char> = text.chars().collect();
        for piece in text.chunks(chars) {
            normaliser.push(&String::from_iter(piece), &mut out);
        }
        normaliser.finish(&mut out);
        out
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        // Marks out of order, jamo, singletons, and compositions across pieces.
        let text = "ae\u{301}\u{323}\u{302} x\u{338}=\u{338}\u{1100}\u{1161}\u{11a8}한\u{11a8}\
            \u{2126}\u{958}\u{9c7}\u{9be}\u{0b47}\u{0b3e}\u{301}\u{301}é\u{323} 漢\u{fa30}\u{1d15e}";
        for chars in 1..8 {
            assert_eq!(pieces(text, chars), whole(text), "pieces of {chars}");
        }
    }

    #[test]
    fn no_stable_character_combines_with_what_precedes_it() {
        let stable: Vec<char> = ('\u{80}'..=char::MAX).filter(|&c| is_stable(c)).collect();
        for before in ['e', 'の', '\u{1100}', '가', '\u{9c7}', '\u{323}', '<'] {
            let text: String = stable.iter().flat_map(|&c| [before, c, ' ']).collect();
            let apart: String = stable
                .iter()
                .flat_map(|&c| [before, c, ' '].map(|c| whole(&c.to_string())))
                .collect();
            assert!(whole(&text) == apart, "{before:?}");
        }
    }

    #[test]
    fn a_run_of_marks_is_held_up_to_a_limit() {
        let text = format!("e{}", "\u{301}".repeat(MAX_RUN));
        let (mut normaliser, mut out) = (Normaliser::default(), String::new());
        for piece in text.as_bytes().chunks(4095) {
            normaliser.push(&String::from_utf8_lossy(piece).replace('\u{fffd}', ""), &mut out);
            assert!(normaliser.held.len() <= MAX_RUN);
        }
        assert!(out.starts_with("é\u{301}"), "the mark is composed");
    }
}

//! Qwen2's pattern: normalised text, as it comes, to words.
//!
//! A word that has no end in sight is given out in fragments, so that memory does not grow with
//! it. Only white space is held until its run ends, since the run's last newline decides where
//! the word ends.

use std::ops::Range;

use super::characters::{Class, Classes};

/// The pattern, as `tokenizer.json` has it.
#[cfg(any(feature = "native", test))]
pub const PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Splits text into words.
pub struct Splitter {
    text: String,
    /// Where in `text` the part begins that was not given out.
    start: usize,
    /// The word that the last fragment left open.
    open: Option<Open>,
    /// The run of white space at `start`, as far as looked at.
    white: White,
    /// Most bytes of white space that are held.
    most_white: usize,
}

/// How an open word goes on.
#[derive(Clone, Copy)]
enum Open {
    /// `\p{L}+`
    Letters,
    /// `[^\s\p{L}\p{N}]+[\r\n]*`
    Others,
    /// `[\r\n]*`
    Newlines,
}

/// A run of white space, its lengths in bytes.
#[derive(Clone, Copy, Default)]
struct White {
    /// The part that was looked at.
    length: usize,
    /// Up to its last newline.
    lines: usize,
    /// Up to its last character.
    but_last: usize,
}

/// A part of a word.
#[derive(Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where it is in [`Splitter::text`]; may be empty if it ends a word.
    pub range: Range<usize>,
    /// Whether the word ends with it.
    pub ends: bool,
}

impl Splitter {
    /// A run of more than `most_white` bytes of white space is split as if it ended there.
    pub fn new(most_white: usize) -> Self {
        let (text, white) = (String::new(), White::default());
        Self { text, start: 0, open: None, white, most_white }
    }

    /// The text that fragments are of.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The end of the text, to append to. Ranges given out before are void after this.
    pub fn input(&mut self) -> &mut String {
        self.text.drain(..self.start);
        self.start = 0;
        &mut self.text
    }

    /// The next fragment; `None` if there is none before more text comes, or at `end`, none at all.
    pub fn next(&mut self, classes: &Classes, end: bool) -> Option<Fragment> {
        match self.open {
            Some(open) => self.go_on(open, classes, end),
            None => self.begin(classes, end),
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.start..]
    }

    fn give(&mut self, length: usize, open: Option<Open>) -> Option<Fragment> {
        let range = self.start..self.start + length;
        (self.start, self.open, self.white) = (range.end, open, White::default());
        Some(Fragment { range, ends: open.is_none() })
    }

    fn begin(&mut self, classes: &Classes, end: bool) -> Option<Fragment> {
        let mut chars = self.rest().chars();
        let first = chars.next()?;
        let class = classes.of(first);
        match class {
            Class::Letter => return self.go_on(Open::Letters, classes, end),
            Class::Number => return self.give(first.len_utf8(), None),
            _ => {}
        }
        let second = match chars.next() {
            None if !end => return None,
            second => second.map(|c| classes.of(c)),
        };
        if first == '\'' {
            match contraction(self.rest(), end) {
                None => return None,
                Some(0) => {}
                Some(length) => return self.give(length, None),
            }
        }
        match (class, second) {
            (Class::Space | Class::White | Class::Other, Some(Class::Letter)) => {
                self.give(first.len_utf8(), Some(Open::Letters))
            }
            (Class::Space, Some(Class::Other)) => self.give(1, Some(Open::Others)),
            (Class::Other, _) => self.go_on(Open::Others, classes, end),
            _ => self.white_space(classes, end),
        }
    }

    /// Gives out what is there of an open word.
    fn go_on(&mut self, open: Open, classes: &Classes, end: bool) -> Option<Fragment> {
        let class = match open {
            Open::Letters => Class::Letter,
            Open::Others => Class::Other,
            Open::Newlines => Class::Newline,
        };
        let rest = self.rest();
        let length = rest.find(|c| classes.of(c) != class).unwrap_or(rest.len());
        match (open, length == rest.len()) {
            (_, true) if end => self.give(length, None),
            (_, true) if length == 0 => None,
            (_, true) => self.give(length, Some(open)),
            (Open::Others, false) => self.give(length, Some(Open::Newlines)),
            (_, false) => self.give(length, None),
        }
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: up to the last newline; without one, all but the last
    /// character, which goes with what follows, if something does.
    fn white_space(&mut self, classes: &Classes, end: bool) -> Option<Fragment> {
        let mut white = self.white;
        let mut goes_on = true;
        for c in self.rest()[white.length..].chars() {
            let class = classes.of(c);
            if !class.is_white() {
                goes_on = false;
                break;
            }
            white.but_last = white.length;
            white.length += c.len_utf8();
            if class == Class::Newline {
                white.lines = white.length;
            }
        }
        self.white = white;
        if goes_on && !end && white.length <= self.most_white {
            return None;
        }
        let length = match white {
            White { lines: 1.., .. } => white.lines,
            White { but_last: 1.., .. } if !goes_on => white.but_last,
            _ => white.length,
        };
        self.give(length, None)
    }
}

/// Bytes of the contraction that `text`, which begins with an apostrophe, begins with, or 0;
/// `None` if that depends on text to come.
fn contraction(text: &str, end: bool) -> Option<usize> {
    // U+017F is the one other letter that is an s in another case.
    let fold = |c: char| if c == '\u{17f}' { 's' } else { c.to_ascii_lowercase() };
    let mut chars = text[1..].chars();
    let Some(second) = chars.next() else { return Some(0) };
    let third = chars.next();
    match (fold(second), third.map(fold)) {
        ('s' | 't' | 'm' | 'd', _) => Some(1 + second.len_utf8()),
        ('r' | 'v', Some('e')) | ('l', Some('l')) => Some(3),
        ('r' | 'v' | 'l', None) if !end => None,
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// The words of `text`, given in pieces of `chars` characters.
    fn words(text: &str, chars: usize, most_white: usize) -> Vec<String> {
        let (mut splitter, classes) = (Splitter::new(most_white), Classes::default());
        let (mut words, mut word) = (Vec::new(), String::new());
        let text: Vec<char> = text.chars().collect();
        let mut take = |splitter: &mut Splitter, end| {
            while let Some(Fragment { range, ends }) = splitter.next(&classes, end) {
                word += &splitter.text()[range];
                if ends {
                    words.push(std::mem::take(&mut word));
                }
            }
        };
        for piece in text.chunks(chars) {
            splitter.input().extend(piece);
            take(&mut splitter, false);
        }
        take(&mut splitter, true);
        assert!(word.is_empty(), "the last word ends");
        words
    }

    #[test]
    fn words_follow_the_pattern_with_its_look_ahead() {
        for (text, expected) in [
            ("it's  a   b", &["it", "'s", " ", " a", "  ", " b"][..]),
            ("a  \n\n  b", &["a", "  \n\n", " ", " b"]),
            ("a \t", &["a", " \t"]),
            ("\u{a0}\u{3000}x12", &["\u{a0}", "\u{3000}x", "1", "2"]),
            ("?!\n\nx", &["?!\n\n", "x"]),
            ("'ſ'LL'lx 'r", &["'ſ", "'LL", "'lx", " '", "r"]),
            ("x\n \n?", &["x", "\n \n", "?"]),
            (" 1 ?'s", &[" ", "1", " ?'", "s"]),
            ("", &[]),
        ] {
            for chars in 1..9 {
                assert_eq!(words(text, chars, 1 << 10), expected, "{text:?} by {chars}");
            }
        }
    }

    #[test]
    fn white_space_is_held_up_to_a_limit() {
        let run = " ".repeat(50);
        assert_eq!(words(&(run.clone() + "x"), 7, 100), [&run[1..], " x"]);
        assert_eq!(words(&(run.clone() + "x"), 10, 20), [&run[..30], &run[..19], " x"]);
    }

    #[test]
    fn a_long_word_comes_in_fragments() {
        let (mut splitter, classes) = (Splitter::new(9), Classes::default());
        splitter.input().push_str("abc");
        assert_eq!(splitter.next(&classes, false), Some(Fragment { range: 0..3, ends: false }));
        assert_eq!(splitter.next(&classes, false), None);
        splitter.input().push_str("d1");
        assert_eq!(splitter.next(&classes, false), Some(Fragment { range: 0..1, ends: true }));
        assert_eq!(splitter.next(&classes, false), Some(Fragment { range: 1..2, ends: true }));
    }
}

//! The classes of characters that Qwen2's pattern tells apart.

use regex_syntax::hir::{Class as HirClass, HirKind};

/// What a character is to the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `[\r\n]`
    Newline,
    /// U+0020
    Space,
    /// `\s`, unless a newline or a space.
    White,
    /// All others.
    Other,
}

impl Class {
    /// Whether `\s` matches.
    pub fn is_white(self) -> bool {
        matches!(self, Self::Newline | Self::Space | Self::White)
    }
}

/// Looks up the class of a character, by the Unicode tables of the regex crates.
pub struct Classes {
    ascii: [Class; 128],
    /// First and last character of each range that is not [`Class::Other`], sorted.
    ranges: Vec<(char, char, Class)>,
}

impl Default for Classes {
    fn default() -> Self {
        let mut ranges = Vec::new();
        for (pattern, class) in
            [(r"\p{L}", Class::Letter), (r"\p{N}", Class::Number), (r"\s", Class::White)]
        {
            let hir = regex_syntax::parse(pattern).expect("the pattern is valid: bug");
            let HirKind::Class(HirClass::Unicode(set)) = hir.into_kind() else {
                unreachable!("the pattern is one class: bug")
            };
            ranges.extend(set.ranges().iter().map(|range| (range.start(), range.end(), class)));
        }
        ranges.sort_unstable_by_key(|&(first, ..)| first);
        let mut classes = Self { ascii: [Class::Other; 128], ranges };
        classes.ascii = std::array::from_fn(|byte| match byte as u8 {
            b'\r' | b'\n' => Class::Newline,
            b' ' => Class::Space,
            byte => classes.search(char::from(byte)),
        });
        classes
    }
}

impl Classes {
    /// The class of `c`.
    pub fn of(&self, c: char) -> Class {
        match self.ascii.get(c as usize) {
            Some(&class) => class,
            None => self.search(c),
        }
    }

    fn search(&self, c: char) -> Class {
        let after = self.ranges.partition_point(|&(first, ..)| first <= c);
        match after.checked_sub(1).map(|found| self.ranges[found]) {
            Some((_, last, class)) if c <= last => class,
            _ => Class::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn classes_are_those_of_the_regex_crate() {
        let classes = Classes::default();
        let is = |pattern: &str| {
            let pattern = regex::Regex::new(pattern).unwrap();
            move |c: char| pattern.is_match(c.encode_utf8(&mut [0; 4]))
        };
        let (letter, number, white) = (is(r"\p{L}"), is(r"\p{N}"), is(r"\s"));
        // All of the first plane's first part, then every 7th character.
        let chars = ('\0'..'\u{3400}').chain(('\u{3400}'..=char::MAX).step_by(7));
        for c in chars {
            let class = classes.of(c);
            assert_eq!(class == Class::Letter, letter(c), "{c:?}");
            assert_eq!(class == Class::Number, number(c), "{c:?}");
            assert_eq!(class.is_white(), white(c), "{c:?}");
            assert_eq!(class == Class::Newline, c == '\r' || c == '\n', "{c:?}");
        }
    }
}

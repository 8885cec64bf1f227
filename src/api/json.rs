//! The one JSON reader of the command line and the server.
//!
//! JavaScript strings may hold half of a surrogate pair, which `JSON.stringify` writes as an
//! escape such as `\ud83d`. A Rust string cannot hold it, so it is read as U+FFFD, as browsers
//! do when they encode text. A name that stands twice in an object is refused, because parsers
//! differ in which value they keep.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads one JSON value of UTF-8 bytes, with or without a byte order mark.
///
/// # Errors
/// A message with the place of the fault, for the caller to put what it read before.
pub(crate) fn read(mut json: Vec<u8>) -> Result<Value, String> {
    prepare(&mut json)?;
    serde_json::from_slice(&json).map(|Strict(value)| value).map_err(|error| explain(&json, &error))
}

/// Reads JSON values one after the other, with white space between them or none. Each comes with
/// the number of the line that it starts on, counted from 1; the first error ends the list.
pub(crate) fn read_all(mut json: Vec<u8>) -> Result<Vec<(usize, Value)>, String> {
    prepare(&mut json)?;
    let mut values = Vec::new();
    let (mut line, mut counted) = (1, 0);
    let mut stream = serde_json::Deserializer::from_slice(&json).into_iter::<Strict>();
    loop {
        let end = stream.byte_offset();
        let start = end + json[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        line += json[counted..start].iter().filter(|&&byte| byte == b'\n').count();
        counted = start;
        match stream.next() {
            None => return Ok(values),
            Some(Ok(Strict(value))) => values.push((line, value)),
            Some(Err(error)) => return Err(explain(&json, &error)),
        }
    }
}

/// Drops a byte order mark, checks that the bytes are UTF-8, and replaces lone surrogates.
fn prepare(json: &mut Vec<u8>) -> Result<(), String> {
    if json.starts_with(BYTE_ORDER_MARK) {
        json.drain(..BYTE_ORDER_MARK.len());
    }
    if let Err(error) = std::str::from_utf8(json) {
        return Err(format!("not UTF-8 text, at byte {}", error.valid_up_to()));
    }
    replace_lone_surrogates(json);
    Ok(())
}

/// U+FEFF in UTF-8, which some editors write before a text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Replaces each `\uXXXX` that is half of a surrogate pair by `\ufffd`, in place: both have six bytes.
fn replace_lone_surrogates(json: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|&byte| byte == b'\\') {
        at += found;
        at += match (surrogate(json, at), surrogate(json, at + ESCAPE)) {
            (Some(Surrogate::High), Some(Surrogate::Low)) => 2 * ESCAPE,
            (Some(_), _) => {
                json[at..at + ESCAPE].copy_from_slice(br"\ufffd");
                ESCAPE
            }
            // A backslash and what it escapes, which may be a backslash too.
            (None, _) => 2,
        };
        at = at.min(json.len());
    }
}

/// Bytes of an escape such as `\ud83d`.
const ESCAPE: usize = 6;

/// Half of a UTF-16 surrogate pair.
enum Surrogate {
    /// The first half, D800 to DBFF.
    High,
    /// The second half, DC00 to DFFF.
    Low,
}

/// The surrogate whose escape stands at `at`, if one does.
fn surrogate(json: &[u8], at: usize) -> Option<Surrogate> {
    let [b'\\', b'u', digits @ ..] = json.get(at..at + ESCAPE)? else { return None };
    let [b'd' | b'D', second, third, fourth] = digits else { return None };
    if !third.is_ascii_hexdigit() || !fourth.is_ascii_hexdigit() {
        return None;
    }
    match second.to_ascii_lowercase() {
        b'8'..=b'9' | b'a'..=b'b' => Some(Surrogate::High),
        b'c'..=b'f' => Some(Surrogate::Low),
        _ => None,
    }
}

/// The parser's message, with advice where JSON-like writers deviate from JSON.
fn explain(json: &[u8], error: &serde_json::Error) -> String {
    let lines = json.split_inclusive(|&byte| byte == b'\n');
    let line = lines.into_iter().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let at = line.get(error.column().saturating_sub(1)..).unwrap_or_default();
    let named = ["NaN", "Infinity", "-Infinity"].into_iter().find(|name| {
        // Behind a minus sign, the column is that of the next character.
        at.starts_with(name.as_bytes()) || at.starts_with(name.trim_start_matches('-').as_bytes())
    });
    match named {
        Some(name) => format!("{error}: JSON has no {}, write null", name.trim_start_matches('-')),
        None => error.to_string(),
    }
}

/// A JSON value in whose objects no name stands twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if fields.contains_key(&name) {
                let name = crate::error::escape(&name);
                return Err(A::Error::custom(format!("{name:?} stands twice in an object")));
            }
            let Strict(value) = entries.next_value()?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(json: impl AsRef<[u8]>) -> Result<Value, String> {
        super::read(json.as_ref().to_vec())
    }

    #[test]
    fn lone_surrogates_are_read_as_the_replacement_character() {
        for (escaped, text) in [
            (r"cut \ud83d", "cut \u{fffd}"),
            (r"\uD83D", "\u{fffd}"),
            (r"\uDe00 low alone", "\u{fffd} low alone"),
            (r"\ud83d\ude00", "😀"),
            (r"\uD83D\uDE00", "😀"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"\ud7ff\ue000", "\u{d7ff}\u{e000}"),
            (r"\\ud83d", r"\ud83d"),
            (r"\\\ud83d", "\\\u{fffd}"),
            (r"\\\\ud83d", r"\\ud83d"),
            (r"\ud83d\\ude00", "\u{fffd}\\ude00"),
            (r#"\"\ud83d\""#, "\"\u{fffd}\""),
        ] {
            assert_eq!(read(format!("\"{escaped}\"")), Ok(json!(text)), "{escaped}");
            let name = read(format!("{{\"{escaped}\":1}}")).unwrap();
            assert_eq!(name.as_object().unwrap().keys().next().unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        let mut failures = Vec::new();
        for (bytes, message) in [
            (&b"{\"a\": \"\xff\"}"[..], "not UTF-8 text, at byte 7"),
            (b"{\"a\": \"\\ud8\"}", "invalid escape at line 1 column 13"),
            (b"{\"a\": \"\\ud83", "EOF while parsing a string at line 1 column 12"),
            (b"\"\\", "EOF while parsing a string at line 1 column 2"),
            (b"{\"q\": 1,\n \"q\": 2}", "\"q\" stands twice in an object at line 2 column 4"),
            (
                b"[{\"a\": {\"\\u0062\": 1, \"b\": 1}}]",
                "\"b\" stands twice in an object at line 1 column",
            ),
            (b"[1e400]", "number out of range at line 1 column"),
            (b"[NaN]", "expected value at line 1 column 2: JSON has no NaN, write null"),
            (
                b"{\"a\":\n Infinity}",
                "expected value at line 2 column 2: JSON has no Infinity, write null",
            ),
            (b"[-Infinity]", "invalid number at line 1 column 3: JSON has no Infinity, write null"),
            (
                b"\"\0\"",
                "control character (\\u0000-\\u001F) found while parsing a string at line 1 column",
            ),
            (b"[1] 2", "trailing characters at line 1 column 5"),
            (b"", "EOF while parsing a value at line 1 column 0"),
        ] {
            let error = read(bytes).unwrap_err();
            if !error.starts_with(message) {
                failures.push(format!("{error}, not {message}"));
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        let deep = [vec![b'['; 200], vec![b']'; 200]].concat();
        assert!(read(deep).unwrap_err().starts_with("recursion limit exceeded"));
    }

    #[test]
    fn values_are_those_of_serde_json() {
        let text =
            r#"{"a": [null, true, -1, 18446744073709551615, 1.5, 1e300, "é\u0000"], "b": {}}"#;
        assert_eq!(read(text), Ok(serde_json::from_str(text).unwrap()));
        assert_eq!(read(format!("\u{feff}{text}")), read(text));
    }

    #[test]
    fn values_in_a_row_have_their_lines() {
        let text = "\n{\"a\": 1}\n\n  {\n \"b\": \"\\ud83d\"\n}{} 7\n";
        let expected = vec![
            (2, json!({"a": 1})),
            (4, json!({"b": "\u{fffd}"})),
            (6, json!({})),
            (6, json!(7)),
        ];
        assert_eq!(read_all(text.into()), Ok(expected));
        assert_eq!(read_all(b" \n".to_vec()), Ok(vec![]));
        let error = read_all(b"{}\n{\"a\": }".to_vec()).unwrap_err();
        assert_eq!(error, "expected value at line 2 column 7");
    }

    /// What `JSON.stringify` writes: quotes, backslashes and control characters are escaped, and
    /// so are lone surrogates; all else stands as it is.
    fn stringify(units: &[u16]) -> String {
        let mut json = String::from('"');
        for unit in char::decode_utf16(units.iter().copied()) {
            match unit {
                Ok(c @ ('"' | '\\')) => json.extend(['\\', c]),
                Ok(c) if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
                Ok(c) => json.push(c),
                Err(lone) => json.push_str(&format!("\\u{:04x}", lone.unpaired_surrogate())),
            }
        }
        json + "\""
    }

    /// UTF-16 in which surrogates, backslashes and the letters of escapes are frequent.
    fn units() -> impl Strategy<Value = Vec<u16>> {
        let unit = prop_oneof![
            3 => 0xd800_u16..0xe000,
            2 => proptest::sample::select("\\\"ud8f\n".encode_utf16().collect::<Vec<_>>()),
            1 => any::<u16>(),
        ];
        proptest::collection::vec(unit, 0..12)
    }

    proptest! {
        #[test]
        fn any_javascript_string_is_read_as_browsers_encode_it(units in units()) {
            let expected = String::from_utf16_lossy(&units);
            prop_assert_eq!(read(stringify(&units)), Ok(json!(&expected)));
            // Some writers escape every code unit, pairs included.
            let all: String = units.iter().map(|unit| format!("\\u{unit:04X}")).collect();
            prop_assert_eq!(read(format!("\"{all}\"")), Ok(json!(&expected)));
        }

        #[test]
        fn what_is_no_escape_of_a_surrogate_stays(bytes in "[\\\\ud8cf\"x]{0,16}") {
            let mut replaced = bytes.clone().into_bytes();
            replace_lone_surrogates(&mut replaced);
            prop_assert_eq!(replaced.len(), bytes.len());
            if let Ok(value) = serde_json::from_str::<Value>(&format!("\"{bytes}\"")) {
                prop_assert_eq!(replaced, bytes.as_bytes());
                prop_assert_eq!(read(format!("\"{bytes}\"")), Ok(value));
            }
        }
    }
}

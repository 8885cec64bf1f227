//! Reading a document: a string, or an object with its text in one or several fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::type_name;
use super::warning::Warning;
use crate::error::escape;
use crate::{Error, Result};

/// The most fields that `rank_fields` may name.
const MAX_RANK_FIELDS: usize = 100;

/// The most fields that warnings name.
const MAX_NAMED: usize = 10;

/// Fields that name a document; nobody expects them to be scored.
const IDS: [&str; 2] = ["id", "_id"];

/// Takes the texts out of documents, and notes what text was left out.
///
/// A document is a string, or an object whose `text` is scored. With `rank_fields`, as in Cohere's
/// v1 form, the fields named there are scored in that order: the value alone where one field is
/// named, else a line `name: value` for each that the document has.
#[derive(Default)]
pub(crate) struct DocumentReader {
    rank_fields: Vec<String>,
    /// Fields with text that is not scored, each with the first place where it stands.
    unused: BTreeMap<String, String>,
    objects: usize,
}

impl DocumentReader {
    /// A reader of the fields named; of `text` if none are.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if a field is named twice or too many are named.
    pub(crate) fn new(rank_fields: Vec<String>) -> Result<Self> {
        if rank_fields.len() > MAX_RANK_FIELDS {
            let reason = format!("names {} fields; at most {MAX_RANK_FIELDS}", rank_fields.len());
            return Err(Error::value("rank_fields", reason));
        }
        for (index, name) in rank_fields.iter().enumerate() {
            if rank_fields[..index].contains(name) {
                let reason = format!("names {:?} twice", escape(name));
                return Err(Error::value("rank_fields", reason));
            }
        }
        Ok(Self { rank_fields, ..Self::default() })
    }

    /// The texts of an array of documents, which stands under `name`.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] naming the document.
    pub(crate) fn read_all(&mut self, name: &str, value: &Value) -> Result<Vec<String>> {
        let Value::Array(items) = value else {
            let reason = format!("must be an array of strings, not {}", type_name(value));
            return Err(Error::shape(name, reason));
        };
        let read = |(index, item)| self.read(&format!("{name}[{index}]"), item);
        items.iter().enumerate().map(read).collect()
    }

    /// The text of the document at `place`, such as `documents[3]`; empty if it is a line's whole.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] naming the place.
    pub(crate) fn read(&mut self, place: &str, document: &Value) -> Result<String> {
        match document {
            Value::String(text) => Ok(text.clone()),
            Value::Object(fields) => {
                self.objects += 1;
                if self.rank_fields.is_empty() {
                    self.note_unused(place, fields, &["text"]);
                    text_of(place, fields)
                } else {
                    self.ranked_text(place, fields)
                }
            }
            other => {
                let kind = type_name(other);
                Err(Error::shape(
                    whole(place),
                    format!("must be a string, not {kind}; an object with \"text\" is taken too"),
                ))
            }
        }
    }

    /// Notes the fields with text that are none of `used` and no ids.
    pub(crate) fn note_unused(&mut self, place: &str, fields: &Map<String, Value>, used: &[&str]) {
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
        for (name, value) in fields {
            let known = used.contains(&name.as_str()) || IDS.contains(&name.as_str());
            let full = self.unused.len() > MAX_NAMED;
            if !known && !full && is_text(value) && !self.unused.contains_key(name) {
                self.unused.insert(name.clone(), place.to_string());
            }
        }
    }

    /// The fields of `rank_fields` that the document has, as one text.
    fn ranked_text(&self, place: &str, fields: &Map<String, Value>) -> Result<String> {
        let mut parts = Vec::new();
        for name in &self.rank_fields {
            match fields.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => parts.push((name, text.clone())),
                Some(value @ (Value::Bool(_) | Value::Number(_))) => {
                    parts.push((name, value.to_string()));
                }
                Some(other) => {
                    let reason = format!("must be a string, not {}", type_name(other));
                    return Err(Error::shape(member(place, name), reason));
                }
            }
        }
        match (&parts[..], &self.rank_fields[..]) {
            ([], names) => {
                let reason =
                    format!("has no field that rank_fields names: {}", escape(&names.join(", ")));
                Err(Error::shape(whole(place), reason))
            }
            ([(_, value)], [_]) => Ok(value.clone()),
            (parts, _) => {
                let lines: Vec<String> =
                    parts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                Ok(lines.join("\n"))
            }
        }
    }

    /// A warning for each field with text that was left out, and for `rank_fields` without a use.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let unused = |field: String, advice: &str| Warning::Unused { field, advice: advice.into() };
        let mut warnings: Vec<_> = self
            .unused
            .iter()
            .take(MAX_NAMED)
            .map(|(name, place)| unused(member(place, name), "name it in rank_fields to score it"))
            .collect();
        if self.unused.len() > MAX_NAMED {
            warnings.push(unused(
                "text in further fields".into(),
                "name it in rank_fields to score it",
            ));
        }
        if !self.rank_fields.is_empty() && self.objects == 0 {
            warnings.push(unused("rank_fields".into(), "no document is an object"));
        }
        warnings
    }
}

/// A field of the document at `place`, for messages.
fn member(place: &str, name: &str) -> String {
    let name = escape(name);
    if place.is_empty() { name } else { format!("{place}.{name}") }
}

/// A document's place, for messages.
fn whole(place: &str) -> &str {
    if place.is_empty() { "document" } else { place }
}

/// The `text` of a document that is an object.
fn text_of(place: &str, fields: &Map<String, Value>) -> Result<String> {
    if let Some(Value::String(text)) = fields.get("text") {
        return Ok(text.clone());
    }
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    let has = if names.is_empty() { "none".to_string() } else { escape(&names.join(", ")) };
    let reason = format!(
        "is missing or not a string; a document is a string or {{\"text\": string}}, or has fields that rank_fields names; its fields: {has}"
    );
    Err(Error::shape(member(place, "text"), reason))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::json;

    use super::*;

    fn read(rank_fields: &[&str], document: Value) -> (Result<String>, Vec<String>) {
        let names = rank_fields.iter().map(ToString::to_string).collect();
        let mut reader = DocumentReader::new(names).unwrap();
        let text = reader.read("documents[0]", &document);
        (text, reader.warnings().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn fields_are_joined_in_the_order_of_rank_fields() {
        let document = json!({"text": "b", "title": "a", "year": 1999, "author": null, "url": "u"});
        let text = |names: &[&str]| read(names, document.clone()).0.unwrap();
        assert_eq!(text(&["title", "text"]), "title: a\ntext: b");
        assert_eq!(text(&["text", "author", "title", "year"]), "text: b\ntitle: a\nyear: 1999");
        assert_eq!(text(&["title"]), "a");
        assert_eq!(text(&["title", "abstract"]), "title: a");
        assert!(read(&["title"], document.clone()).1.is_empty(), "the caller chose the fields");
    }

    #[test]
    fn text_that_is_left_out_is_named_once() {
        let document =
            json!({"text": "b", "id": "7", "_id": "8", "title": "a", "url": " ", "n": 1});
        let (text, warnings) = read(&[], document.clone());
        assert_eq!(text.unwrap(), "b");
        let expected = "documents[0].title is not used; name it in rank_fields to score it";
        assert_eq!(warnings, [expected]);
        let mut reader = DocumentReader::default();
        reader.read_all("documents", &json!(["a", document, document])).unwrap();
        let field = "documents[1].title".to_string();
        let advice = "name it in rank_fields to score it".to_string();
        assert_eq!(reader.warnings(), [Warning::Unused { field, advice }]);
        let many: Map<_, _> = (0..50).map(|i| (format!("f{i}"), json!("x"))).collect();
        let (_, warnings) = read(&[], Value::Object(many));
        assert_eq!(warnings.len(), MAX_NAMED + 1, "{warnings:?}");
    }

    #[test]
    fn rank_fields_that_name_nothing_are_told() {
        assert_eq!(
            read(&["title"], json!("a")).1,
            ["rank_fields is not used; no document is an object"]
        );
        let (text, _) = read(&["title", "body"], json!({"text": "a"}));
        let message = "documents[0]: has no field that rank_fields names: title, body";
        assert_eq!(text.unwrap_err().to_string(), message);
        let (text, _) = read(&["text"], json!({"text": ["a"]}));
        assert_eq!(
            text.unwrap_err().to_string(),
            "documents[0].text: must be a string, not an array"
        );
        let twice = DocumentReader::new(vec!["a".into(), "b".into(), "a".into()]).err().unwrap();
        assert_eq!(twice.to_string(), "rank_fields: names \"a\" twice");
        let many = (0..101).map(|i| i.to_string()).collect();
        let many = DocumentReader::new(many).err().unwrap();
        assert_eq!(many.to_string(), "rank_fields: names 101 fields; at most 100");
    }

    #[test]
    fn a_document_without_text_is_refused_with_its_fields() {
        let (text, _) = read(&[], json!({"content": "a", "title": "b"}));
        let message = text.unwrap_err().to_string();
        assert!(message.starts_with("documents[0].text: is missing"), "{message}");
        assert!(message.ends_with("its fields: content, title"), "{message}");
    }
}

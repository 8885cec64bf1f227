//! Reading documents and queries: JSON lines with `_id`, `title` and `text`.

use std::collections::{BTreeMap, HashMap};
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::api::fields::{required_text, text};
use crate::api::json_lines::{fields, read_line};
use crate::error::escape;
use crate::input_file::open;

/// A document.
pub struct Document {
    /// Its name in the judgements.
    pub id: String,
    /// Title and text with a space between.
    pub text: String,
}

/// A query and its judgements.
pub struct Query {
    /// Its name in the judgements.
    pub id: String,
    /// What to look for; not blank.
    pub text: String,
    /// Grades by document id; the corpus may lack some of the documents.
    pub(super) judged: HashMap<String, i32>,
}

/// The corpus: title and text with a space between, as BEIR gives them to rerankers.
pub(super) fn read_corpus(path: &Path, unread: &mut Unread) -> Result<Vec<Document>> {
    read_lines(path, &["_id", "title", "text"], unread, |id, title, text| {
        let text = format!("{title} {text}").trim().to_string();
        Ok(Document { id, text })
    })
}

/// The queries; a title of theirs is not read.
pub(super) fn read_queries(path: &Path, unread: &mut Unread) -> Result<Vec<Query>> {
    read_lines(path, &["_id", "text"], unread, |id, _, text| {
        if text.trim().is_empty() {
            bail!("text: is empty");
        }
        Ok(Query { id, text, judged: HashMap::new() })
    })
}

/// Makes a `T` of the id, title and text of each line that is not blank. Strings under names other
/// than `used` are counted in `unread`.
fn read_lines<T>(
    path: &Path,
    used: &[&str],
    unread: &mut Unread,
    make: impl Fn(String, String, String) -> Result<T>,
) -> Result<Vec<T>> {
    let mut input = BufReader::new(open(path)?);
    let mut first_lines = HashMap::new();
    let mut made = Vec::new();
    for number in 1.. {
        let place = || format!("{}: line {number}", path.display());
        let Some(line) = read_line(&mut input, number).with_context(place)? else { break };
        let Some(fields) = fields(line).with_context(place)? else { continue };
        let [id, title, text] = read_item(&fields).with_context(place)?;
        unread.count(&fields, used);
        if let Some(first) = first_lines.insert(id.clone(), number) {
            bail!("{}: _id: {id:?} stands on line {first} already", place());
        }
        made.push(make(id, title, text).with_context(place)?);
    }
    if made.is_empty() {
        bail!("{}: is empty", path.display());
    }
    Ok(made)
}

/// `_id`, `title` (empty if there is none) and `text` of a line.
fn read_item(fields: &Map<String, Value>) -> Result<[String; 3]> {
    let id = required_text(fields, "_id")?;
    if id.is_empty() {
        bail!("_id: is empty");
    }
    let title = text(fields, &["title"])?.unwrap_or_default();
    Ok([id, title, required_text(fields, "text")?])
}

/// The most fields that warnings name.
const MAX_NAMED: usize = 10;

/// Strings of lines that are not read, counted by their names.
#[derive(Default)]
pub(super) struct Unread(BTreeMap<String, usize>);

impl Unread {
    fn count(&mut self, fields: &Map<String, Value>, used: &[&str]) {
        for (name, value) in fields {
            let is_text = value.as_str().is_some_and(|text| !text.trim().is_empty());
            if !is_text || used.contains(&name.as_str()) {
                continue;
            }
            if let Some(count) = self.0.get_mut(name) {
                *count += 1;
            } else if self.0.len() < MAX_NAMED {
                self.0.insert(name.clone(), 1);
            }
        }
    }

    /// A warning for each name.
    pub(super) fn warnings(&self, path: &Path) -> impl Iterator<Item = String> {
        let warning = move |(name, count): (&String, &usize)| {
            format!("{}: {} is not used; lines with it: {count}", path.display(), escape(name))
        };
        self.0.iter().map(warning)
    }
}

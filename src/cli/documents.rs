//! The documents of `rerank`, from a file or from standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde_json::Value;

use crate::Warning;
use crate::api::document::DocumentReader;
use crate::api::json;
use crate::input_file::open;

/// Largest file of documents, so that a wrong one does not fill the memory.
const MAX_BYTES: u64 = 256 << 20;

/// Which documents, and how to read them.
#[derive(Debug, Args)]
pub(super) struct DocumentArgs {
    /// File of documents, or - for stdin
    #[arg(long, value_name = "FILE|-")]
    documents: PathBuf,
    /// Score these fields of documents that are JSON objects, in this order [default: text]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    rank_fields: Vec<String>,
    /// The file holds texts, one a line, even if they look like JSON
    #[arg(long, conflicts_with = "rank_fields")]
    plain: bool,
}

/// Texts to rank, and what was left out of them.
pub(super) struct Documents {
    pub(super) texts: Vec<String>,
    pub(super) warnings: Vec<Warning>,
}

impl DocumentArgs {
    /// Reads the file.
    pub(super) fn read(&self) -> Result<Documents> {
        let path = &self.documents;
        let name = if path == "-" { "stdin".to_string() } else { path.display().to_string() };
        let bytes = read_bytes(path, &name)?;
        if !self.plain
            && let Some(items) = parse(&bytes).with_context(|| name.clone())?
        {
            return self.read_items(items).with_context(|| name);
        }
        let text = bytes.strip_prefix(json::BYTE_ORDER_MARK).unwrap_or(&bytes);
        let text = std::str::from_utf8(text)
            .map_err(|error| anyhow!("{name}: not UTF-8 text, at byte {}", error.valid_up_to()))?;
        if !self.rank_fields.is_empty() {
            bail!(
                "{name}: --rank-fields needs documents that are JSON objects; these are plain lines"
            );
        }
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        if !self.plain
            && let Some((number, _)) = lines.clone().find(|(_, line)| is_object(line))
        {
            bail!(
                "{name}: line {number} is a JSON object among plain lines; make all of them JSON, or give --plain if they are texts"
            );
        }
        Ok(Documents {
            texts: lines.map(|(_, line)| line.to_string()).collect(),
            warnings: Vec::new(),
        })
    }

    fn read_items(&self, items: Items) -> Result<Documents> {
        let mut reader = DocumentReader::new(self.rank_fields.clone())?;
        let texts = match items {
            Items::Array(array) => reader.read_all("documents", &array)?,
            Items::Stream(values) => {
                let read = |(line, value): &(usize, Value)| {
                    refuse_request(value)?;
                    reader.read("", value).with_context(|| format!("line {line}"))
                };
                values.iter().map(read).collect::<Result<_>>()?
            }
        };
        Ok(Documents { texts, warnings: reader.warnings() })
    }
}

/// JSON documents.
enum Items {
    /// One array.
    Array(Value),
    /// Values one after the other, each with the line that it starts on.
    Stream(Vec<(usize, Value)>),
}

/// The documents of a text that is JSON; `None` for plain lines.
///
/// What starts with `{` is JSON or refused. What starts with `[` may be a line such as "[1] a note",
/// but is refused if a document follows the bracket. What starts with `"` is JSON if it all is.
fn parse(bytes: &[u8]) -> Result<Option<Items>> {
    const PLAIN: &str = "give --plain if its lines are texts";
    let text = bytes.strip_prefix(json::BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii_start();
    match text.first() {
        Some(b'[') => match json::read(bytes.to_vec()) {
            Ok(array) => Ok(Some(Items::Array(array))),
            Err(error) if matches!(text[1..].trim_ascii_start().first(), Some(b'"' | b'{')) => {
                bail!("starts with [ but is not a JSON array: {error}; {PLAIN}")
            }
            Err(_) => Ok(None),
        },
        Some(b'{') => match json::read_all(bytes.to_vec()) {
            Ok(values) => Ok(Some(Items::Stream(values))),
            Err(error) => bail!("starts with {{ but is not JSON: {error}; {PLAIN}"),
        },
        Some(b'"') => {
            let values = json::read_all(bytes.to_vec()).ok();
            let is_document = |(_, item): &(usize, Value)| item.is_string() || item.is_object();
            Ok(values.filter(|items| items.iter().all(is_document)).map(Items::Stream))
        }
        _ => Ok(None),
    }
}

/// Whether a line is a JSON object.
fn is_object(line: &str) -> bool {
    line.trim_start().starts_with('{')
        && json::read(line.as_bytes().to_vec()).is_ok_and(|value| value.is_object())
}

/// Fails with what to do if a value is a whole request rather than a document.
fn refuse_request(value: &Value) -> Result<()> {
    let name = ["documents", "texts"].into_iter().find(|name| value.get(name).is_some());
    match name {
        Some(name) if value.get("text").is_none() => bail!(
            "holds a whole request; --documents takes its array alone, as `jq .{name}` prints it, and --query its query"
        ),
        _ => Ok(()),
    }
}

fn read_bytes(path: &Path, name: &str) -> Result<Vec<u8>> {
    let source: Box<dyn Read> =
        if path == "-" { Box::new(std::io::stdin()) } else { Box::new(open(path)?) };
    let mut bytes = Vec::new();
    source.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| name.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{name}: over the limit of {} MiB", MAX_BYTES >> 20);
    }
    Ok(bytes)
}

//! Reading judgements: a TSV file of query, document and grade.

use std::collections::HashMap;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::items::Query;
use crate::api::json_lines::read_line;
use crate::input_file::{exists, open};

/// The file of a split, or an error that lists the splits there are.
pub(super) fn find_split(folder: &Path, split: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{split}.tsv"));
    if exists(&path)? {
        return Ok(path);
    }
    let context = || folder.display().to_string();
    let mut splits = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if let Some(stem) = path.file_stem().filter(|_| path.extension() == Some("tsv".as_ref())) {
            splits.push(stem.to_string_lossy().into_owned());
        }
    }
    splits.sort_unstable();
    let there_are = if splits.is_empty() { "no file.tsv".to_string() } else { splits.join(", ") };
    bail!("--split {split}: there is none in {}; there are: {there_are}", folder.display())
}

/// The header row.
const HEADER: [&str; 3] = ["query-id", "corpus-id", "score"];

/// Adds the judgements in the file to their queries. The last judgement of a query and document
/// counts, as in BEIR.
pub(super) fn judge(queries: &mut [Query], path: &Path) -> Result<()> {
    let places: HashMap<String, usize> =
        queries.iter().enumerate().map(|(index, query)| (query.id.clone(), index)).collect();
    let mut input = BufReader::new(open(path)?);
    let mut header_read = false;
    for number in 1.. {
        let place = || format!("{}: line {number}", path.display());
        let Some(line) = read_line(&mut input, number).with_context(place)? else { break };
        let line = String::from_utf8(line).map_err(|_| anyhow!("{}: not UTF-8 text", place()))?;
        if line.is_empty() {
            continue;
        }
        let row = read_row(&line).with_context(place)?;
        if !header_read {
            if row != HEADER {
                bail!("{}: must be the header, query-id, corpus-id and score", place());
            }
            header_read = true;
            continue;
        }
        let [query, document, score] = row;
        let Ok(grade) = score.trim().parse() else {
            bail!("{}: score: {score:?} is not a whole number of 32 bits", place());
        };
        let Some(&index) = places.get(&query) else {
            bail!("{}: query-id: {query:?} is not in queries.jsonl", place());
        };
        queries[index].judged.insert(document, grade);
    }
    Ok(())
}

/// The three fields of a row. Quoted fields are unquoted: BEIR's files are written by Python's csv,
/// which quotes ids that contain a quote.
fn read_row(line: &str) -> Result<[String; 3]> {
    let field = |field: &str| {
        let quoted = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        quoted.map_or(field.to_string(), |text| text.replace("\"\"", "\""))
    };
    let fields: Vec<String> = line.split('\t').map(field).collect();
    fields.try_into().map_err(|fields: Vec<String>| {
        anyhow!(
            "has {} fields; must be query-id, corpus-id and score with tabs between",
            fields.len()
        )
    })
}

//! `score`: JSON lines in, JSON lines out.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Map, Value};

use super::load::ModelArgs;
use super::output::eprint_line;
use crate::api::document::DocumentReader;
use crate::api::fields::{field, names, required_text};
use crate::api::json_lines::{fields, read_line};
use crate::error::escape;
use crate::input_file::open;
use crate::{Error, RerankRequest, Reranker, Warning};

/// The most lines that are scored together.
const MAX_GROUP: usize = 64;
/// Bytes read ahead, within which lines can be scored together.
const BUFFER_BYTES: usize = 1 << 20;

const EXAMPLES: &str = "\
Example:
  echo '{\"query\": \"capital of France\", \"document\": \"Paris\"}' | qwen3-rerank score --model model.gguf

A line is {\"query\", \"document\", \"instruction\"?}; its answer is {\"score\", \"margin\", \"tokens\",
\"truncated\"}, in the same order. A document is a string or {\"text\": string}; the options of a
request (rank_fields, max_tokens_per_doc, truncate, templated, control_tokens) are taken too.
Lines that follow each other with the same query and options are scored together, which is
faster. A bad line ends the run; the answers to those before it are printed.";

/// Fields of a line that may be strings without a warning here.
const KNOWN: [&str; 9] = [
    "query",
    "document",
    "instruction",
    "instruct",
    "id",
    "_id",
    "model",
    // Of these, reading the options tells.
    "truncation_direction",
    "chat_template",
];

/// The most fields that warnings name.
const MAX_WARNINGS: usize = 20;

/// Arguments of `score`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ScoreArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// File of JSON lines [default: stdin]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

impl ScoreArgs {
    pub(super) fn run(self) -> Result<()> {
        let input: Box<dyn Read> = match &self.input {
            Some(path) => Box::new(open(path)?),
            None => Box::new(std::io::stdin()),
        };
        let reranker = self.model.load(None)?;
        let input = BufReader::with_capacity(BUFFER_BYTES, input);
        score(&reranker, input, std::io::stdout().lock())
    }
}

/// Scores all lines of `input`; blank ones are passed over.
fn score<R: Read>(
    reranker: &Reranker,
    mut input: BufReader<R>,
    mut output: impl Write,
) -> Result<()> {
    let mut lines = Lines { number: 0, warned: HashSet::new() };
    let mut group: Option<Group> = None;
    loop {
        let line = match lines.next(&mut input) {
            Ok(Some(line)) => line,
            end => {
                flush(reranker, &mut group, &mut output)?;
                return end.map(|_| ()).with_context(|| format!("line {}", lines.number));
            }
        };
        if group.as_ref().is_some_and(|group| !group.takes(&line)) {
            flush(reranker, &mut group, &mut output)?;
        }
        group.get_or_insert_with(|| Group::new(lines.number, &line)).documents.push(line.document);
        // Nothing is held back for lines that have not come, so a caller may
        // wait for each answer before it writes the next line.
        if !input.buffer().contains(&b'\n') {
            flush(reranker, &mut group, &mut output)?;
        }
    }
}

/// Reads lines one after the other.
struct Lines {
    /// Of the line read last, counted from 1.
    number: usize,
    /// Fields that a warning has named, by their path in a line.
    warned: HashSet<String>,
}

/// One line of input.
struct Line {
    /// The query and the options; its documents are none.
    request: RerankRequest,
    document: String,
}

impl Lines {
    /// The next line that is not blank; `None` behind the last.
    fn next(&mut self, input: &mut impl BufRead) -> Result<Option<Line>> {
        loop {
            self.number += 1;
            let Some(line) = read_line(input, self.number)? else { return Ok(None) };
            if let Some(fields) = fields(line)? {
                return self.read(&fields).map(Some);
            }
        }
    }

    fn read(&mut self, fields: &Map<String, Value>) -> Result<Line> {
        let query = required_text(fields, "query")?;
        RerankRequest::new(query.as_str(), vec![String::new()]).validate()?;
        if let Some((name, _)) = field(fields, &["documents", "texts"])? {
            let reason = "is not taken; a line has one query and one document, under document";
            return Err(Error::shape(name, reason).into());
        }
        let (_, document) = field(fields, &["document"])?
            .ok_or_else(|| Error::shape("document", "is missing; give a string"))?;
        let mut reader = DocumentReader::new(names(fields, "rank_fields")?)?;
        let document = reader.read("document", document)?;
        let mut request = RerankRequest::new(query, Vec::new());
        request.read_options(fields)?;
        let mut warnings = std::mem::take(&mut request.warnings);
        warnings.extend(reader.warnings());
        warnings.extend(unused_texts(fields));
        self.warn(warnings);
        Ok(Line { request, document })
    }

    /// Prints warnings of fields that no line before had.
    fn warn(&mut self, warnings: Vec<Warning>) {
        for warning in warnings {
            let Warning::Unused { field, .. } = &warning else { continue };
            if self.warned.len() < MAX_WARNINGS && self.warned.insert(field.clone()) {
                eprint_line(&format!("warning: line {}: {warning}", self.number));
            }
        }
    }
}

/// A warning for each string of a line that is neither read nor an id.
fn unused_texts(fields: &Map<String, Value>) -> impl Iterator<Item = Warning> {
    let unused =
        fields.iter().filter(|(name, value)| value.is_string() && !KNOWN.contains(&&***name));
    unused.map(|(name, _)| Warning::Unused {
        field: escape(name),
        advice: "the texts of a line are query, document and instruction".to_string(),
    })
}

/// Lines that share a query and all options.
struct Group {
    first_line: usize,
    /// Without documents.
    request: RerankRequest,
    documents: Vec<String>,
}

impl Group {
    fn new(first_line: usize, line: &Line) -> Self {
        Self { first_line, request: line.request.clone(), documents: Vec::new() }
    }

    fn takes(&self, line: &Line) -> bool {
        self.documents.len() < MAX_GROUP && self.request == line.request
    }
}

/// Scores the group, if there is one, and writes its answers.
fn flush(reranker: &Reranker, group: &mut Option<Group>, output: &mut impl Write) -> Result<()> {
    let Some(Group { first_line, mut request, documents }) = group.take() else { return Ok(()) };
    request.documents = documents;
    // Every line has an answer.
    request.top_n = None;
    let ranking = reranker
        .rerank(&request)
        .with_context(|| format!("the group of lines from line {first_line} on"))?;
    for warning in &ranking.warnings {
        eprint_line(&format!("warning: the group of lines from line {first_line} on: {warning}"));
    }
    let mut results = ranking.results;
    results.sort_unstable_by_key(|ranked| ranked.index);
    for ranked in results {
        serde_json::to_writer(&mut *output, &ranked.score).map_err(std::io::Error::from)?;
        output.write_all(b"\n")?;
    }
    Ok(output.flush()?)
}

//! `score`: JSON lines in, JSON lines out.

use std::io::{BufReader, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::load::{ModelArgs, open};
use crate::api::json_lines::{fields, read_line, required};
use crate::{RerankRequest, Reranker, api};

/// The most lines that are scored together.
const GROUP: usize = 64;
/// Bytes read ahead, within which lines can be scored together.
const BUFFER: usize = 1 << 20;

const EXAMPLES: &str = "\
Example:
  echo '{\"query\": \"capital of France\", \"document\": \"Paris\"}' | qwen3-rerank score --model model.gguf

A line is {\"query\", \"document\", \"instruction\"?}; its answer is {\"score\", \"margin\", \"tokens\",
\"truncated\"}, in the same order. Lines that follow each other with the same query and
instruction are scored together, which is faster. A bad line ends the run; the answers to
those before it are printed.";

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

/// One line of input.
struct Line {
    query: String,
    document: String,
    instruction: Option<String>,
}

/// Lines that share a query and an instruction.
struct Group {
    first_line: usize,
    request: RerankRequest,
}

impl ScoreArgs {
    pub(super) fn run(self) -> Result<()> {
        let input: Box<dyn Read> = match &self.input {
            Some(path) => Box::new(open(path)?),
            None => Box::new(std::io::stdin()),
        };
        let reranker = self.model.load(None)?;
        let input = BufReader::with_capacity(BUFFER, input);
        score(&reranker, input, std::io::stdout().lock())
    }
}

/// Scores all lines of `input`; blank ones are passed over.
fn score<R: Read>(
    reranker: &Reranker,
    mut input: BufReader<R>,
    mut output: impl Write,
) -> Result<()> {
    let mut group: Option<Group> = None;
    for number in 1.. {
        let read = match read_line(&mut input, number) {
            Ok(None) => break,
            Ok(Some(line)) => Line::read(&line),
            Err(error) => Err(error),
        };
        let line = match read.with_context(|| format!("line {number}")) {
            Ok(Some(line)) => line,
            Ok(None) => continue,
            Err(error) => {
                flush(reranker, &mut group, &mut output)?;
                return Err(error);
            }
        };
        if group.as_ref().is_some_and(|group| !group.takes(&line)) {
            flush(reranker, &mut group, &mut output)?;
        }
        group
            .get_or_insert_with(|| Group::new(number, &line))
            .request
            .documents
            .push(line.document);
        // Nothing is held back for lines that have not come, so a caller may
        // wait for each answer before it writes the next line.
        if !input.buffer().contains(&b'\n') {
            flush(reranker, &mut group, &mut output)?;
        }
    }
    flush(reranker, &mut group, &mut output)
}

impl Line {
    /// A line's content; `None` if it is blank.
    fn read(line: &[u8]) -> Result<Option<Self>> {
        let Some(fields) = fields(line)? else { return Ok(None) };
        let query = required(&fields, "query")?;
        RerankRequest::new(query.as_str(), vec![String::new()]).validate()?;
        let instruction = api::text(&fields, &["instruction"])?;
        Ok(Some(Self { query, document: required(&fields, "document")?, instruction }))
    }
}

impl Group {
    fn new(first_line: usize, line: &Line) -> Self {
        let mut request = RerankRequest::new(line.query.as_str(), Vec::new());
        request.instruction = line.instruction.clone();
        Self { first_line, request }
    }

    fn takes(&self, line: &Line) -> bool {
        self.request.documents.len() < GROUP
            && self.request.query == line.query
            && self.request.instruction == line.instruction
    }
}

/// Scores the group, if there is one, and writes its answers.
fn flush(reranker: &Reranker, group: &mut Option<Group>, output: &mut impl Write) -> Result<()> {
    let Some(Group { first_line, request }) = group.take() else { return Ok(()) };
    let ranking = reranker
        .rerank(&request)
        .with_context(|| format!("the group of lines from line {first_line} on"))?;
    for warning in &ranking.warnings {
        super::tell(&format!("warning: the group of lines from line {first_line} on: {warning}"));
    }
    let mut results = ranking.results;
    results.sort_unstable_by_key(|ranked| ranked.index);
    for ranked in results {
        serde_json::to_writer(&mut *output, &ranked.score).map_err(std::io::Error::from)?;
        output.write_all(b"\n")?;
    }
    Ok(output.flush()?)
}

//! `score`: JSON lines in, JSON lines out.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde::Deserialize;

use super::load::{ModelArgs, open};
use crate::{RerankRequest, Reranker};

/// The most lines that are scored together.
const GROUP: usize = 64;
/// Bytes read ahead, within which lines can be scored together.
const BUFFER: usize = 1 << 20;

/// Bytes of a line beyond which it is no longer read, and so ends as broken JSON.
const LONGEST_LINE: u64 = 32 << 20;

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
#[derive(Deserialize)]
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
        let mut bytes = Vec::new();
        let read = match input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(_) => read_line(&bytes).with_context(|| format!("line {number}")),
            Err(error) => Err(error).with_context(|| format!("line {number}")),
        };
        let line = match read {
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

/// A line's content; `None` if it is blank.
fn read_line(bytes: &[u8]) -> Result<Option<Line>> {
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let line: Line = serde_json::from_slice(bytes)
        // The parser counts lines within this one.
        .map_err(|error| error.to_string().replace(" at line 1 column", " at column"))
        .map_err(|error| anyhow!("not {{\"query\", \"document\"}} as JSON: {error}"))?;
    RerankRequest::new(line.query.as_str(), vec![String::new()]).validate()?;
    Ok(Some(line))
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

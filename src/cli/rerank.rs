//! `rerank`: one request from arguments, its answer as JSON.

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::load::{ModelArgs, bar, open};
use super::{parse_count, tell};
use crate::api::dialect::{Documented, V1, answer_id};
use crate::api::json_lines::{fields, required};
use crate::{Ranking, RerankRequest, Reranker};

const EXAMPLES: &str = "\
Examples:
  qwen3-rerank rerank --model model.gguf --query 'capital of France' --documents documents.json --top-n 3
  ls *.md | qwen3-rerank rerank --model model.gguf --query 'how to install' --documents - --form v1

Documents are a JSON array of strings or of {\"text\": string} objects if the first character
is [; such objects, one a line, if the first line is one; and else texts, one a line. Blank
lines are left out. Warnings go to stderr.";

/// Largest file of documents, so that a wrong one does not fill the memory.
const MOST_BYTES: u64 = 256 << 20;

/// Arguments of `rerank`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RerankArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// What to look for
    #[arg(long, value_name = "TEXT")]
    query: String,
    /// File of documents, or - for stdin
    #[arg(long, value_name = "FILE|-")]
    documents: PathBuf,
    /// Print only the best N
    #[arg(long, value_name = "N", value_parser = parse_count)]
    top_n: Option<usize>,
    /// The task that the model is told [default: web search]
    #[arg(long, value_name = "TEXT")]
    instruction: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Form::Documented)]
    form: Form,
    /// Cut each document to N tokens
    #[arg(long, value_name = "N", value_parser = parse_count)]
    max_tokens_per_doc: Option<usize>,
    /// Refuse documents that are too long rather than cut them
    #[arg(long)]
    no_truncate: bool,
    /// Read control tokens such as <|im_end|> in the texts as such; only for texts you trust
    #[arg(long)]
    control_tokens: bool,
    /// The texts already carry the <Instruct>, <Query> and <Document> markers
    #[arg(long)]
    templated: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// {model, query, results: [{document, score}]}
    Documented,
    /// {id, model, results: [{index, relevance_score, document}], usage}
    V1,
}

impl RerankArgs {
    pub(super) fn run(self) -> Result<()> {
        // Before the model, which takes long to load.
        let request = self.request()?;
        let reranker = self.model.load(None)?;
        let ranking = rank(&reranker, &request)?;
        for warning in &ranking.warnings {
            tell(&format!("warning: {warning}"));
        }
        let RerankRequest { query, documents, .. } = &request;
        match self.form {
            Form::Documented => print(&Documented::new(&ranking, query, documents)),
            Form::V1 => print(&V1::new(answer_id(), &ranking, documents, true)),
        }
    }

    fn request(&self) -> Result<RerankRequest> {
        let mut request = read_request(&self.query, &self.documents)?;
        request.top_n = self.top_n;
        request.instruction = self.instruction.clone();
        request.max_tokens_per_doc = self.max_tokens_per_doc;
        request.truncate = !self.no_truncate;
        request.control_tokens = self.control_tokens;
        request.templated = self.templated;
        request.validate()?;
        Ok(request)
    }
}

/// The request of `query` and the documents in a file.
fn read_request(query: &str, path: &Path) -> Result<RerankRequest> {
    let name = if path == "-" { "stdin".to_string() } else { path.display().to_string() };
    let text = read_text(path, &name)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if !text.trim_start().starts_with('[') {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let of_objects = lines.clone().next().is_some_and(|(_, line)| has_text(line));
        let document = |(number, line): (usize, &str)| {
            if of_objects {
                text_of(line).with_context(|| format!("{name}: line {number}"))
            } else {
                Ok(line.to_string())
            }
        };
        return Ok(RerankRequest::new(query, lines.map(document).collect::<Result<_>>()?));
    }
    let documents: Value = serde_json::from_str(text)
        .map_err(|error| anyhow!("{name}: starts with [ but is not a JSON array: {error}"))?;
    Ok(RerankRequest::from_json(&json!({"query": query, "documents": documents}))?)
}

/// Whether a line is a JSON object with a text.
fn has_text(line: &str) -> bool {
    fields(line.as_bytes()).is_ok_and(|fields| fields.is_some_and(|own| own.contains_key("text")))
}

/// The text of a line that is a JSON object.
fn text_of(line: &str) -> Result<String> {
    required(&fields(line.as_bytes())?.unwrap_or_default(), "text")
}

fn read_text(path: &Path, name: &str) -> Result<String> {
    let source: Box<dyn Read> =
        if path == "-" { Box::new(std::io::stdin()) } else { Box::new(open(path)?) };
    let mut bytes = Vec::new();
    source.take(MOST_BYTES + 1).read_to_end(&mut bytes).with_context(|| name.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("{name}: over the limit of {} MiB", MOST_BYTES >> 20);
    }
    String::from_utf8(bytes).map_err(|error| {
        anyhow!("{name}: not UTF-8 text, at byte {}", error.utf8_error().valid_up_to())
    })
}

/// Ranks, with a progress bar.
fn rank(reranker: &Reranker, request: &RerankRequest) -> Result<Ranking> {
    let bar = bar("scoring", "{pos}/{len}");
    let ranking = reranker.rerank_with(request.clone(), |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.documents as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    Ok(ranking?)
}

/// Prints a value as readable JSON.
pub(super) fn print(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

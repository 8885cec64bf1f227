//! `rerank`: one request from arguments, its answer as JSON.

use std::ops::ControlFlow;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::documents::{DocumentArgs, Documents};
use super::load::{ModelArgs, bar};
use super::number;
use super::output::{eprint_line, print_json};
use crate::api::dialect::{DocumentedResponse, V1Response, answer_id};
use crate::{Ranking, RerankRequest, Reranker};

const EXAMPLES: &str = "\
Examples:
  qwen3-rerank rerank --model model.gguf --query 'capital of France' --documents documents.json --top-n 3
  ls *.md | qwen3-rerank rerank --model model.gguf --query 'how to install' --documents - --form v1

Documents are a JSON array of strings or of {\"text\": string} objects; such strings or objects one
after the other, as in JSON lines; or texts, one a line. Blank lines are left out. What starts
with { or [\" or [{ must be JSON unless --plain is given. With --rank-fields title,text an object
is scored as \"title: …\" and \"text: …\" on two lines. Warnings go to stderr.";

/// Arguments of `rerank`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RerankArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// What to look for
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    query: String,
    #[command(flatten)]
    documents: DocumentArgs,
    /// Print only the best N
    #[arg(long, value_name = "N", value_parser = number::count)]
    top_n: Option<usize>,
    /// The task that the model is told [default: web search]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    instruction: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Form::Documented)]
    form: Form,
    /// Cut each document to N tokens
    #[arg(long, value_name = "N", value_parser = number::count)]
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
    /// Print margins, the difference of the logits of "yes" and "no", as scores
    #[arg(long)]
    raw_scores: bool,
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
            eprint_line(&format!("warning: {warning}"));
        }
        match self.form {
            Form::Documented => print_json(&DocumentedResponse::new(&ranking, &request)),
            Form::V1 => print_json(&V1Response::new(answer_id(), &ranking, &request)),
        }
    }

    fn request(&self) -> Result<RerankRequest> {
        let Documents { texts, warnings } = self.documents.read()?;
        let mut request = RerankRequest::new(self.query.as_str(), texts);
        request.warnings = warnings;
        request.top_n = self.top_n;
        request.instruction = self.instruction.clone();
        request.max_tokens_per_doc = self.max_tokens_per_doc;
        request.truncate = !self.no_truncate;
        request.control_tokens = self.control_tokens;
        request.templated = self.templated;
        request.raw_scores = self.raw_scores;
        request.validate()?;
        Ok(request)
    }
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

//! `eval`: how well a model orders what BM25 finds, on a folder in BEIR's form.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use super::load::{ModelArgs, bar};
use super::number;
use super::output::{eprint_line, print_json};
use super::run_files::RunFiles;
use crate::api::MAX_DOCUMENTS;
use crate::eval::candidates::Index;
use crate::eval::dataset::Dataset;
use crate::eval::eval_report::EvalReport;
use crate::eval::items::Query;
use crate::eval::rankings::Rankings;
use crate::{Ranking, RerankRequest, Reranker, Warning};

const EXAMPLES: &str = "\
Examples:
  qwen3-rerank eval --model model.gguf --data scifact
  qwen3-rerank eval --model model.gguf --data nfcorpus --top 50 --limit 100 --json --runs runs

DIR holds corpus.jsonl ({\"_id\", \"title\", \"text\"}), queries.jsonl ({\"_id\", \"text\"}) and
qrels/SPLIT.tsv (a header, then query-id, corpus-id and score with tabs between). A document is
its title and text with a space between; other strings are told. Grades above 0 are relevant; the figures are those of
trec_eval: ndcg_cut.10, recip_rank of the first ten, map of the candidates.

Queries to which nothing is relevant are left out and counted; those whose relevant documents
BM25 does not find stay, with 0. As in BEIR, a document that has its query's own id is passed
over. Equal scores keep BM25's order, and there the corpus's.

BM25 (the crate bm25): k1 0.9, b 0.4, idf ln(1 + (N - n + 0.5) / (n + 0.5)); text becomes ASCII
lower case, is split at Unicode's word boundaries, loses NLTK's English stopwords and is
stemmed (Snowball, English).

Runs are in TREC's form; their scores count down from the number of candidates to 1, so that
no tool has ties to break.";

/// Arguments of `eval`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EvalArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Folder in BEIR's form
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Name of the judgements, qrels/SPLIT.tsv
    #[arg(long, default_value = "test")]
    split: String,
    /// Rerank BM25's best N documents for each query
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = number::at_most(MAX_DOCUMENTS))]
    top: usize,
    /// The task that the model is told [default: web search]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    instruction: Option<String>,
    /// Only the first N queries with relevant documents, in the order of queries.jsonl
    #[arg(long, value_name = "N", value_parser = number::count)]
    limit: Option<usize>,
    /// Write both orders to bm25.run and rerank.run in this folder
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Print JSON rather than a table
    #[arg(long)]
    json: bool,
}

impl EvalArgs {
    pub(super) fn run(self) -> Result<()> {
        // Before the model, which takes long to load.
        let mut dataset = Dataset::read(&self.data, &self.split)?;
        for warning in &dataset.warnings {
            eprint_line(&format!("warning: {warning}"));
        }
        dataset.queries.truncate(self.limit.unwrap_or(usize::MAX));
        let runs =
            self.runs.as_deref().map(|folder| RunFiles::new(folder, &dataset)).transpose()?;
        let reranker = self.model.load(None)?;
        self.check_queries(&reranker, &dataset.queries)?;
        let candidates = self.candidates(&dataset);
        let start = Instant::now();
        let reranked = self.rerank(&reranker, &dataset, &candidates)?;
        let seconds = start.elapsed().as_secs_f64();
        let report = EvalReport {
            model: &reranker.info().name,
            data: self.data.display().to_string(),
            split: &self.split,
            queries: dataset.queries.len(),
            queries_left_out: dataset.left_out,
            top: self.top,
            documents: candidates.iter().map(Vec::len).sum(),
            bm25: dataset.metrics(&candidates),
            rerank: dataset.metrics(&reranked),
            seconds,
        };
        // The figures come first: they took long, and writing the runs may fail.
        if self.json {
            print_json(&report)?;
        } else {
            let mut stdout = std::io::stdout().lock();
            write!(stdout, "{report}")?;
            stdout.flush()?;
        }
        runs.map_or(Ok(()), |runs| runs.write(&dataset, &candidates, &reranked))
    }

    /// What BM25 finds.
    fn candidates(&self, dataset: &Dataset) -> Rankings {
        let texts: Vec<&str> = dataset.corpus.iter().map(|document| &*document.text).collect();
        let progress = bar("indexing", "{pos}/{len}");
        progress.set_length(texts.len() as u64);
        let index = Index::new(&texts, || progress.inc(1));
        progress.finish_and_clear();
        let find = |query: &Query| {
            // BEIR's evaluation drops these: some of its queries are documents themselves.
            let is_other = |document: usize| dataset.corpus[document].id != query.id;
            index.search(&query.text, self.top, is_other)
        };
        dataset.queries.iter().map(find).collect()
    }

    fn request(&self, query: &Query, documents: Vec<String>) -> RerankRequest {
        let mut request = RerankRequest::new(query.text.as_str(), documents);
        request.instruction = self.instruction.clone();
        request
    }

    /// Fails if a query is too long for the model: better now than after hours of work.
    fn check_queries(&self, reranker: &Reranker, queries: &[Query]) -> Result<()> {
        for query in queries {
            let request = self.request(query, vec![String::new()]);
            reranker.check(request).with_context(|| format!("the query {:?}", query.id))?;
        }
        Ok(())
    }

    /// The candidates in the model's order; documents that were cut are counted on stderr.
    fn rerank(
        &self,
        reranker: &Reranker,
        dataset: &Dataset,
        candidates: &Rankings,
    ) -> Result<Rankings> {
        let progress = bar("reranking", "{pos}/{len} {eta}");
        progress.set_length(candidates.iter().map(|found| found.len() as u64).sum());
        let mut rankings = Vec::with_capacity(candidates.len());
        let (mut done, mut cut) = (0, 0);
        for (query, found) in dataset.queries.iter().zip(candidates) {
            if found.is_empty() {
                rankings.push(Vec::new());
                continue;
            }
            let documents = found.iter().map(|&index| dataset.corpus[index].text.clone());
            let request = self.request(query, documents.collect());
            let step = |documents| progress.set_position(done + documents as u64);
            let ranking = rank(reranker, request, step)
                .with_context(|| format!("the query {:?}", query.id))?;
            done += found.len() as u64;
            for warning in &ranking.warnings {
                match warning {
                    Warning::Truncated { .. } => cut += 1,
                    other => progress.suspend(|| {
                        let id = &query.id;
                        eprint_line(&format!(
                            "warning: the query {id:?} and what BM25 found: {other}"
                        ));
                    }),
                }
            }
            rankings.push(ranking.results.iter().map(|ranked| found[ranked.index]).collect());
        }
        progress.finish_and_clear();
        if cut > 0 {
            eprint_line(&format!("warning: {cut} of {done} documents were cut to fit"));
        }
        Ok(rankings)
    }
}

/// Ranks, and tells after each step how many documents are done.
fn rank(
    reranker: &Reranker,
    request: RerankRequest,
    step: impl Fn(usize),
) -> crate::Result<Ranking> {
    reranker.rerank_with(request, |progress| {
        step(progress.documents);
        ControlFlow::Continue(())
    })
}

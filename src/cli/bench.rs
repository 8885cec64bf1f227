//! `bench`: how fast a model loads, reads a prompt and reranks, and the memory that takes.

mod bench_report;
mod memory;
mod workload;

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use self::bench_report::{BenchReport, Samples};
use self::memory::peak_bytes;
use self::workload::Workload;
use super::load::{ModelArgs, bar};
use super::number;
use super::output::print_json;
use crate::api::MAX_DOCUMENTS;
use crate::model::{Batch, ForwardPass, Model, PassStep, PrefixHit};
use crate::{Reranker, Usage};

/// The most runs.
const MAX_RUNS: usize = 1000;

const EXAMPLES: &str = "\
Examples:
  qwen3-rerank bench --model model.gguf --threads 1
  qwen3-rerank bench --model model.gguf --tokens 512 --documents 100 --json

Each figure is the median of the runs, and stands with the least and the greatest.
  load     from opening the file until the model can score
  prefill  one prompt of exactly --tokens tokens, from text to score, nothing of it computed before
  kernel   how much of that time its matrix products take alone: the speed that prefill reaches,
           as a share of what the kernels allow
  rerank   one query and --documents documents of --tokens tokens each, from texts to order.
           Prompts are longer, by the template, the instruction and the query
  memory   the most that the process had, up to the end of these

No query or document comes twice. What prompts of one instruction begin with stays computed from
request to request, as it does in use: JSON tells the tokens of all prompts of a request
(prompt_tokens) and those that had to be computed for it (evaluated_tokens).";

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Tokens of the prompt that is read alone, and of each document
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = number::count)]
    tokens: usize,
    /// Documents of a request
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = number::at_most(MAX_DOCUMENTS))]
    documents: usize,
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = number::at_most(MAX_RUNS))]
    runs: usize,
    /// Print JSON rather than a table
    #[arg(long)]
    json: bool,
    /// Print the texts of the runs and their ids as JSON, to measure others with; measure nothing
    #[arg(long)]
    texts: bool,
}

impl BenchArgs {
    pub(super) fn run(self) -> Result<()> {
        let (reranker, seconds) = self.load()?;
        if self.texts {
            return Workload::new(&reranker, self.tokens, self.documents)?.print(self.runs);
        }
        let report = self.measure(reranker, seconds)?;
        if self.json {
            return print_json(&report);
        }
        let mut stdout = std::io::stdout().lock();
        write!(stdout, "{report}")?;
        Ok(stdout.flush()?)
    }

    fn load(&self) -> Result<(Reranker, f64)> {
        timed(|| self.model.load(None))
    }

    fn measure(&self, reranker: Reranker, load_seconds: f64) -> Result<BenchReport> {
        let progress = bar("measuring", "{pos}/{len} {eta}");
        progress.set_length(self.runs as u64);
        let [mut prefill, mut share, mut rerank, mut load]: [Samples; 4] = Default::default();
        let mut workload = Workload::new(&reranker, self.tokens, self.documents)?;
        let mut usage = Usage::default();
        for _ in 0..self.runs {
            let request = workload.prompt()?;
            let ((), whole) = timed(|| read(reranker.model(), &workload.ids(&request)?))?;
            let mut multiplied = reranker.model().products(self.tokens);
            let ((), products) = timed(|| {
                multiplied.multiply();
                Ok(())
            })?;
            prefill.push(self.tokens as f64 / whole);
            share.push(products / whole);
            let request = workload.request()?;
            let (ranking, seconds) = timed(|| Ok(reranker.rerank(&request)?))?;
            rerank.push(self.documents as f64 / seconds);
            usage = ranking.usage;
            progress.inc(1);
        }
        progress.finish_and_clear();
        let peak_bytes = peak_bytes();
        let (model, runs_on) = (reranker.info().name.clone(), reranker.diagnostics());
        drop(reranker);
        load.push(load_seconds);
        for _ in 1..self.runs {
            load.push(self.load()?.1);
        }
        Ok(BenchReport {
            model,
            backend: runs_on.backend,
            threads: runs_on.threads,
            tokens: self.tokens,
            documents: self.documents,
            runs: self.runs,
            load_seconds: load.median(),
            prefill_tokens_per_second: prefill.median(),
            documents_per_second: rerank.median(),
            kernel_share: share.median(),
            peak_bytes,
            prompt_tokens: usage.prompt_tokens,
            evaluated_tokens: usage.evaluated_tokens,
            spread: [load.spread(), prefill.spread(), rerank.spread()],
        })
    }
}

/// The result of `work`, and the seconds that it takes.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let start = Instant::now();
    let done = work()?;
    Ok((done, start.elapsed().as_secs_f64()))
}

/// Scores a prompt in one pass, without a cached prefix.
fn read(model: &Model, ids: &[u32]) -> Result<()> {
    let mut pass = ForwardPass::new(model, Batch::single(ids, PrefixHit::default()))?;
    loop {
        match pass.step(model) {
            PassStep::More => {}
            PassStep::Waiting => pollster::block_on(pass.settled()),
            PassStep::Done => break,
        }
    }
    black_box(pass.finish(model).margins);
    Ok(())
}

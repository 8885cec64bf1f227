//! The command line's arguments, and the subcommand that they choose.

use clap::{Parser, Subcommand};

use super::{bench, eval, info, number, quantize, random, rerank, score, serve};

/// The most threads that may be asked for.
const MAX_THREADS: usize = 1024;

const EXAMPLES: &str = "\
Examples:
  qwen3-rerank rerank --query 'capital of France' --documents documents.json
  printf 'Paris\\nBerlin\\n' | qwen3-rerank rerank --query 'capital of France' --documents -
  qwen3-rerank serve --model model.gguf --port 8080

Errors go to stderr; the exit code is 2 for wrong arguments and 1 for all else.";

/// Reranks documents with Qwen3-Reranker models in GGUF files.
#[derive(Debug, Parser)]
#[command(name = "qwen3-rerank", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// Threads that compute [default: one for each processor]
    #[arg(long, global = true, value_name = "N", value_parser = number::at_most(MAX_THREADS))]
    pub threads: Option<usize>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Order documents by how well they answer a query, and print JSON
    Rerank(rerank::RerankArgs),
    /// Score pairs of query and document, as JSON lines
    Score(score::ScoreArgs),
    /// Say what a model file holds
    Info(info::InfoArgs),
    /// Measure a model on queries with known answers (BEIR's form), beside BM25
    Eval(eval::EvalArgs),
    /// Measure speed and memory of a model on this machine
    Bench(bench::BenchArgs),
    /// Answer rerank requests over HTTP
    Serve(serve::ServeArgs),
    /// Make a rerank GGUF from a checkpoint folder or another GGUF
    Quantize(quantize::QuantizeArgs),
    /// Write a model with random weights, for tests and benchmarks
    Random(random::RandomArgs),
}

impl Cli {
    /// Runs the chosen subcommand.
    ///
    /// # Errors
    /// Whatever went wrong, for the user to read.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Rerank(args) => args.run(),
            Command::Score(args) => args.run(),
            Command::Info(args) => args.run(),
            Command::Eval(args) => args.run(),
            Command::Bench(args) => args.run(),
            Command::Serve(args) => args.run(),
            Command::Quantize(args) => args.run(),
            Command::Random(args) => args.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}

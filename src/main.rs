//! The command line's entry: parses, dispatches, prints the error if there is one.

use std::process::ExitCode;

use clap::Parser;
use qwen3_rerank::cli::{Cli, eprint_line, is_closed_pipe};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(threads) = cli.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        if let Err(error) = pool.build_global() {
            eprint_line(&format!("error: --threads {threads}: {error}"));
            return ExitCode::FAILURE;
        }
    }
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        // As tools do that leave this to the default action of SIGPIPE, but quietly.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprint_line(&format!("error: {}", describe(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes on one line, without control characters, which a terminal would obey. Some
/// errors name their cause already.
fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for link in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = link;
        } else if !text.ends_with(&link) {
            text = format!("{text}: {link}");
        }
    }
    text.chars()
        .map(|c| match c {
            '\n' => " ".to_string(),
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        })
        .collect()
}

//! The command line's entry: parses, dispatches, prints an error once.

use std::process::ExitCode;

use clap::Parser;
use qwen3_rerank::native::cli::{Cli, is_closed_pipe};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(threads) = cli.threads {
        set_threads(threads);
    }
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        // As tools do that leave this to the default action of SIGPIPE, but quietly.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes on one line. Some errors name their cause already.
fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for link in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = link;
        } else if !text.ends_with(&link) {
            text = format!("{text}: {link}");
        }
    }
    text.replace('\n', " ")
}

/// Sizes rayon's pool and candle's, which read this variable when first used
/// and offer no other way that covers both.
#[allow(unsafe_code)]
fn set_threads(threads: usize) {
    // SAFETY: no other thread runs yet that could read the environment meanwhile.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
}

//! The log of `serve`, on standard error.

use std::env;
use std::io::IsTerminal;

use anyhow::{Context, Result, bail};
use tracing_subscriber::EnvFilter;

/// Starts the log, filtered by `RUST_LOG`, or to warnings if that is not set.
///
/// # Errors
/// If `RUST_LOG` is no filter: ignored, it would hide what its author wants to see.
pub(super) fn start() -> Result<()> {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter()?);
    log.with_ansi(std::io::stderr().is_terminal()).init();
    Ok(())
}

fn filter() -> Result<EnvFilter> {
    let text = match env::var("RUST_LOG") {
        Ok(text) if text.trim().is_empty() => "warn".to_string(),
        Ok(text) => text,
        Err(env::VarError::NotPresent) => "warn".to_string(),
        Err(env::VarError::NotUnicode(_)) => bail!("RUST_LOG: is not UTF-8 text"),
    };
    let context =
        || format!("RUST_LOG: {text:?} is no filter such as \"debug\" or \"info,hyper=warn\"");
    EnvFilter::builder().parse(&text).with_context(context)
}

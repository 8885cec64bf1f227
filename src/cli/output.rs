//! Writing to standard output and standard error.

use std::io::{ErrorKind, Write};

use anyhow::Result;
use serde::Serialize;

/// Writes a line to standard error. A fault in that, as on a full disk, is passed over: there is
/// nowhere left to report it.
pub fn eprint_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints a value as readable JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Whether an error is only that the reader of our output has left, as `head` does.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
    };
    error.chain().any(|link| kind(link) == Some(ErrorKind::BrokenPipe))
}

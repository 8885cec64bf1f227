//! Lines of a file, each within a limit, and the fields of those that are JSON.

use std::io::{BufRead, Read};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value};

/// Most bytes of a line, so that a file without line ends does not fill the memory.
const LONGEST_LINE: u64 = 32 << 20;

/// The line with this number, counted from 1, without its end and without a byte order mark
/// before the first; `None` behind the last.
pub(crate) fn read_line(input: &mut impl BufRead, number: usize) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if input.take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 > LONGEST_LINE {
        bail!("is over the limit of {} MiB", LONGEST_LINE >> 20);
    }
    let end = bytes
        .strip_suffix(b"\n")
        .map_or(bytes.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
    bytes.truncate(end);
    if number == 1 && bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(.."\u{feff}".len());
    }
    Ok(Some(bytes))
}

/// The fields of a line that is a JSON object; `None` if it is blank.
pub(crate) fn fields(line: &[u8]) -> Result<Option<Map<String, Value>>> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let value = serde_json::from_slice(line.trim_ascii_end())
        // The parser counts lines within this one.
        .map_err(|error| error.to_string().replace(" at line 1 column", " at column"))
        .map_err(|error| anyhow!("not JSON: {error}"))?;
    let Value::Object(fields) = value else { bail!("must be a JSON object") };
    Ok(Some(fields))
}

/// A string that a line must have.
pub(crate) fn required(fields: &Map<String, Value>, name: &'static str) -> Result<String> {
    crate::api::text(fields, &[name])?.with_context(|| format!("{name}: is missing; give a string"))
}

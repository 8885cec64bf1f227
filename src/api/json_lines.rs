//! Lines of a file, each within a limit, and the fields of those that are JSON.

use std::io::{BufRead, Read};

use anyhow::{Result, anyhow, bail};
use serde_json::{Map, Value};

use super::json::{self, BYTE_ORDER_MARK};

/// Most bytes of a line, so that a file without line ends does not fill the memory.
const MAX_LINE_BYTES: u64 = 32 << 20;

/// The line with this number, counted from 1, without its end and without a byte order mark
/// before the first; `None` behind the last.
pub(crate) fn read_line(input: &mut impl BufRead, number: usize) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if input.take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 > MAX_LINE_BYTES {
        bail!("is over the limit of {} MiB", MAX_LINE_BYTES >> 20);
    }
    let end = bytes
        .strip_suffix(b"\n")
        .map_or(bytes.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
    bytes.truncate(end);
    if number == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(Some(bytes))
}

/// The fields of a line that is a JSON object; `None` if it is blank.
pub(crate) fn fields(mut line: Vec<u8>) -> Result<Option<Map<String, Value>>> {
    line.truncate(line.trim_ascii_end().len());
    if line.is_empty() {
        return Ok(None);
    }
    // The parser counts lines within this one.
    let value = json::read(line).map_err(|error| {
        anyhow!("not JSON: {}", error.replace(" at line 1 column", " at column"))
    })?;
    let Value::Object(fields) = value else { bail!("must be a JSON object") };
    Ok(Some(fields))
}

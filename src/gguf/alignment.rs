//! Where tensor data may start.

use super::value::Metadata;
use crate::{Error, Result};

/// Where tensor data starts is a multiple of this, unless `general.alignment` says otherwise.
pub const DEFAULT_ALIGNMENT: u64 = 32;

/// A larger alignment is taken for corruption.
const MAX_ALIGNMENT: usize = 1 << 20;

/// The alignment of a file with this metadata, in bytes.
///
/// # Errors
/// [`Error::InvalidModel`] unless it is a power of two of at most 1 MiB.
pub(super) fn of(metadata: &Metadata) -> Result<u64> {
    match metadata.count("general.alignment")? {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(n) if n.is_power_of_two() && n <= MAX_ALIGNMENT => Ok(n as u64),
        Some(n) => Err(Error::model(
            "general.alignment",
            format!("is {n}; must be a power of two of at most {MAX_ALIGNMENT}"),
        )),
    }
}

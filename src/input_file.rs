//! Opening files that the user names.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Opens a file, with its name in every error. Unix opens folders too and
/// fails only when they are read, so those are refused here.
pub(crate) fn open(path: &Path) -> Result<File> {
    let context = || path.display().to_string();
    let file = File::open(path).with_context(context)?;
    if file.metadata().with_context(context)?.is_dir() {
        bail!("{}: is a folder, not a file", path.display());
    }
    Ok(file)
}

/// Whether a path exists; what is out of reach is an error, not missing.
pub(crate) fn exists(path: &Path) -> Result<bool> {
    path.try_exists().with_context(|| path.display().to_string())
}

//! A file that appears under its name only when it is complete.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Writes to `NAME.PID.partial`, which must not exist; [`PartialFile::commit`]
/// gives the file its name, dropping without that removes it.
pub struct PartialFile {
    path: PathBuf,
    partial: PathBuf,
    committed: bool,
}

impl PartialFile {
    /// Creates the partial file and gives its sink.
    ///
    /// # Errors
    /// [`Error::Io`] if it exists or cannot be created.
    pub fn create(path: &Path) -> Result<(Self, BufWriter<File>)> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = PathBuf::from(partial);
        // Never one that exists: it may be the very file that is read from.
        let file = File::create_new(&partial)
            .map_err(|e| Error::io(format!("creating {}", partial.display()), e))?;
        let this = Self { path: path.to_path_buf(), partial, committed: false };
        Ok((this, BufWriter::with_capacity(1 << 20, file)))
    }

    /// Moves the finished file to its name; its sink must have been flushed.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be moved.
    pub fn commit(mut self) -> Result<()> {
        std::fs::rename(&self.partial, &self.path)
            .map_err(|e| Error::io(format!("writing {}", self.path.display()), e))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing more can be done if this fails too.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

//! A file that appears under its name only when it is complete.

use std::fs::{File, Permissions};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Writes to `NAME.*.partial` in the same folder; [`PartialFile::commit`]
/// gives the file its name, dropping without that removes it.
pub struct PartialFile {
    path: PathBuf,
    partial: NamedTempFile,
    /// Of the file that is replaced.
    permissions: Option<Permissions>,
}

impl PartialFile {
    /// Creates the partial file and gives its sink. Through a link the file behind it is written.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if there is something else than a file, or one that may not be
    /// written; [`Error::Io`] if the partial file cannot be created.
    pub fn create(path: &Path) -> Result<(Self, BufWriter<File>)> {
        let (path, permissions) = target(path)?;
        let failed = |e| Error::io(format!("creating {}", path.display()), e);
        let mut prefix = path.file_name().unwrap_or_default().to_owned();
        prefix.push(".");
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".partial");
        // As any new file: the umask takes away what it should.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let partial = builder.tempfile_in(folder).map_err(failed)?;
        let file = partial.reopen().map_err(failed)?;
        let this = Self { path, partial, permissions };
        Ok((this, BufWriter::with_capacity(1 << 20, file)))
    }

    /// Moves the finished file to its name; its sink must have been flushed.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be moved.
    pub fn commit(self) -> Result<()> {
        let Self { path, partial, permissions } = self;
        let failed = |e| Error::io(format!("writing {}", path.display()), e);
        if let Some(permissions) = permissions {
            std::fs::set_permissions(partial.path(), permissions).map_err(failed)?;
        }
        partial.persist(&path).map(drop).map_err(|e| failed(e.error))
    }
}

/// The file that `path` leads to, and its permissions if it is there.
fn target(path: &Path) -> Result<(PathBuf, Option<Permissions>)> {
    let refused = |reason: &str| Err(Error::value(path.display().to_string(), reason));
    let failed = |e| Error::io(path.display().to_string(), e);
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => refused("is there already, and not a regular file"),
        Ok(found) if found.permissions().readonly() => refused("is there already, and read-only"),
        Ok(found) => Ok((path.canonicalize().map_err(failed)?, Some(found.permissions()))),
        Err(e) if e.kind() == ErrorKind::NotFound => match path.read_link() {
            // Where it leads is as seen from its folder.
            Ok(behind) => target(&path.parent().unwrap_or(Path::new("")).join(behind)),
            Err(_) => Ok((path.to_path_buf(), None)),
        },
        Err(e) => Err(failed(e)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn write(path: &Path) -> Result<()> {
        let (file, mut sink) = PartialFile::create(path)?;
        sink.write_all(b"new").and_then(|()| sink.flush()).expect("it is written");
        file.commit()
    }

    #[test]
    fn what_is_no_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = write(folder.path()).expect_err("a folder").to_string();
        assert!(error.contains("not a regular file"), "{error}");
        let file = folder.path().join("kept");
        std::fs::write(&file, "old").expect("a file");
        let mut permissions = std::fs::metadata(&file).expect("it is there").permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&file, permissions).expect("it is ours");
        assert!(write(&file).expect_err("read-only").to_string().contains("read-only"));
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "old");
        assert_eq!(std::fs::read_dir(&folder).expect("it is there").count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_and_its_file_keeps_its_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        std::fs::write(&file, "old").expect("a file");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
        symlink(&file, &link).expect("a link");
        write(&link).expect("it is written");
        assert!(std::fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "new");
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    #[cfg(unix)]
    fn links_to_nothing_stay_and_get_their_file() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let [file, near, far] = ["file", "near", "far"].map(|name| folder.path().join(name));
        symlink("file", &near).expect("a link");
        symlink("near", &far).expect("a link to a link");
        write(&far).expect("it is written");
        for link in [near, far] {
            assert!(std::fs::symlink_metadata(&link).expect("it is there").is_symlink());
        }
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "new");
    }

    #[test]
    #[cfg(unix)]
    fn a_new_file_has_the_mode_that_the_umask_leaves() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let [plain, file] = ["plain", "file"].map(|name| folder.path().join(name));
        std::fs::write(&plain, "").expect("a file");
        write(&file).expect("it is written");
        let mode = |path| std::fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode(file), mode(plain));
    }

    #[test]
    fn what_is_not_committed_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, _sink) = PartialFile::create(&folder.path().join("file")).expect("it is made");
        assert_eq!(std::fs::read_dir(&folder).expect("it is there").count(), 1);
        drop(file);
        assert_eq!(std::fs::read_dir(&folder).expect("it is there").count(), 0);
    }
}

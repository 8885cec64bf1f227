//! Rankings as TREC run files, for other tools to measure.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Rankings;
use super::dataset::Dataset;
use crate::native::partial_file::PartialFile;

/// A folder for run files.
pub struct Runs {
    folder: PathBuf,
}

impl Runs {
    /// Makes the folder if there is none. Ids that a run file cannot hold,
    /// since white space separates its fields, are refused here, before the work.
    pub fn new(folder: &Path, dataset: &Dataset) -> Result<Self> {
        let documents = dataset.corpus.iter().map(|document| &document.id);
        let mut ids = documents.chain(dataset.queries.iter().map(|query| &query.id));
        if let Some(id) = ids.find(|id| id.contains(char::is_whitespace)) {
            bail!("--runs: the _id {id:?} holds white space, which separates fields there");
        }
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// Writes `NAME.run`: `query Q0 document rank score NAME`. The score counts
    /// down to 1, for tools order by it alone, and equal ones by document.
    pub fn write(&self, name: &str, dataset: &Dataset, rankings: &Rankings) -> Result<()> {
        let path = self.folder.join(format!("{name}.run"));
        let context = || path.display().to_string();
        let (file, mut sink) = PartialFile::create(&path)?;
        for (query, ranking) in dataset.queries.iter().zip(rankings) {
            for (index, &document) in ranking.iter().enumerate() {
                let (rank, score) = (index + 1, ranking.len() - index);
                let (query, document) = (&query.id, &dataset.corpus[document].id);
                writeln!(sink, "{query} Q0 {document} {rank} {score} {name}")
                    .with_context(context)?;
            }
        }
        sink.flush().with_context(context)?;
        drop(sink);
        Ok(file.commit()?)
    }
}

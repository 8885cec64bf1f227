//! Rankings as TREC run files, for other tools to measure.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::convert::partial_file::PartialFile;
use crate::eval::dataset::Dataset;
use crate::eval::rankings::Rankings;

/// The run files of BM25's order and of the model's.
pub struct RunFiles([RunFile; 2]);

struct RunFile {
    name: &'static str,
    path: PathBuf,
    file: PartialFile,
    sink: BufWriter<File>,
}

impl RunFiles {
    /// Makes the folder if there is none, and begins both files. What cannot be written is refused
    /// here, before the work; so are ids that a run file cannot hold, since white space separates
    /// its fields.
    pub fn new(folder: &Path, dataset: &Dataset) -> Result<Self> {
        let documents = dataset.corpus.iter().map(|document| &document.id);
        let mut ids = documents.chain(dataset.queries.iter().map(|query| &query.id));
        if let Some(id) = ids.find(|id| id.contains(char::is_whitespace)) {
            bail!("--runs: the _id {id:?} holds white space, which separates fields there");
        }
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        Ok(Self([RunFile::new(folder, "bm25")?, RunFile::new(folder, "rerank")?]))
    }

    /// Writes both orders.
    pub fn write(self, dataset: &Dataset, bm25: &Rankings, reranked: &Rankings) -> Result<()> {
        let [first, second] = self.0;
        first.write(dataset, bm25)?;
        second.write(dataset, reranked)
    }
}

impl RunFile {
    fn new(folder: &Path, name: &'static str) -> Result<Self> {
        let path = folder.join(format!("{name}.run"));
        let (file, sink) = PartialFile::create(&path)?;
        Ok(Self { name, path, file, sink })
    }

    /// Writes `NAME.run`: `query Q0 document rank score NAME`. The score counts
    /// down to 1, for tools order by it alone, and equal ones by document.
    fn write(self, dataset: &Dataset, rankings: &Rankings) -> Result<()> {
        let Self { name, path, file, mut sink } = self;
        let context = || path.display().to_string();
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

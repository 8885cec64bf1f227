//! A folder in BEIR's form: corpus, queries and judgements.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Result, bail};

use super::items::{Document, Query, Unread, read_corpus, read_queries};
use super::judgements::{find_split, judge};
use super::metrics::Metrics;
use super::rankings::Rankings;
use crate::input_file::exists;

/// A corpus, and queries with judgements of its documents.
pub struct Dataset {
    /// All documents, in the order of the file.
    pub corpus: Vec<Document>,
    /// The queries with relevant documents, in the order of the file.
    pub queries: Vec<Query>,
    /// Number of further queries whose judged documents are all irrelevant.
    pub left_out: usize,
    /// Faults that did not stop the reading, one sentence each.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Reads the folder's corpus, its queries, and the judgements of `split`.
    /// Judged documents that the corpus lacks count as never found; [`Dataset::warnings`] names them.
    pub fn read(folder: &Path, split: &str) -> Result<Self> {
        if !exists(folder)? || !folder.is_dir() {
            bail!("{}: no such folder", folder.display());
        }
        let [corpus, queries] = ["corpus.jsonl", "queries.jsonl"].map(|name| folder.join(name));
        for path in [&corpus, &queries] {
            if !exists(path)? {
                bail!(
                    "{}: is missing; a folder in BEIR's form has corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv",
                    path.display()
                );
            }
        }
        let qrels = find_split(&folder.join("qrels"), split)?;
        let (mut unread_queries, mut unread_documents) = (Unread::default(), Unread::default());
        // The small files come first, so that their errors show at once.
        let mut read = read_queries(&queries, &mut unread_queries)?;
        judge(&mut read, &qrels)?;
        let documents = read_corpus(&corpus, &mut unread_documents)?;
        let mut dataset = Self::new(documents, read);
        if dataset.queries.is_empty() {
            bail!("{}: has no score above 0, so nothing is relevant", qrels.display());
        }
        dataset.warnings.extend(unread_queries.warnings(&queries));
        dataset.warnings.extend(unread_documents.warnings(&corpus));
        dataset.warn_of_judgements(&qrels);
        Ok(dataset)
    }

    /// Adds warnings of judgements of documents that no ranking has.
    fn warn_of_judgements(&mut self, qrels: &Path) {
        for (count, what) in [
            (
                self.unknown_documents(),
                "judged documents that corpus.jsonl lacks, which count as never found",
            ),
            (
                self.passed_over(),
                "relevant documents with their query's own id, which are passed over as in BEIR",
            ),
        ] {
            if count > 0 {
                self.warnings.push(format!("{}: {what}: {count}", qrels.display()));
            }
        }
    }

    /// Leaves out queries without judgements, which belong to other splits, and queries without
    /// relevant documents.
    fn new(corpus: Vec<Document>, mut queries: Vec<Query>) -> Self {
        queries.retain(|query| !query.judged.is_empty());
        let judged = queries.len();
        queries.retain(|query| query.judged.values().any(|&grade| grade > 0));
        Self { left_out: judged - queries.len(), corpus, queries, warnings: Vec::new() }
    }

    fn unknown_documents(&self) -> usize {
        let judged = self.queries.iter().flat_map(|query| query.judged.keys());
        let mut unknown: HashSet<&str> = judged.map(String::as_str).collect();
        for document in &self.corpus {
            unknown.remove(document.id.as_str());
        }
        unknown.len()
    }

    /// Number of queries whose relevant documents include one with the query's own id.
    fn passed_over(&self) -> usize {
        let answers_itself =
            |query: &&Query| query.judged.get(&query.id).is_some_and(|&grade| grade > 0);
        self.queries.iter().filter(answers_itself).count()
    }

    /// The figures of `rankings`, one for each query.
    pub fn metrics(&self, rankings: &Rankings) -> Metrics {
        let metrics = |(query, ranking): (&Query, &Vec<usize>)| {
            let grade = |&index: &usize| query.judged.get(&self.corpus[index].id).copied();
            let ranked: Vec<i32> = ranking.iter().map(|index| grade(index).unwrap_or(0)).collect();
            let judged: Vec<i32> = query.judged.values().copied().collect();
            Metrics::of(&ranked, &judged).expect("all queries have relevant documents: bug")
        };
        let each: Vec<Metrics> = self.queries.iter().zip(rankings).map(metrics).collect();
        Metrics::mean(&each)
    }
}

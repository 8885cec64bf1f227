//! The answer of `eval`, as JSON or as a table.

use std::fmt;

use serde::Serialize;

use super::metrics::Metrics;

/// What was measured, and how.
#[derive(Serialize)]
pub struct EvalReport<'a> {
    /// Name of the model.
    pub model: &'a str,
    /// The folder as it was given.
    pub data: String,
    /// Name of the judgements, as in `qrels/SPLIT.tsv`.
    pub split: &'a str,
    /// Number of queries in the means.
    pub queries: usize,
    /// Number of judged queries without relevant documents.
    pub queries_left_out: usize,
    /// The most candidates of a query.
    pub top: usize,
    /// Documents that the model scored, over all queries.
    pub documents: usize,
    /// BM25's own order of the candidates.
    pub bm25: Metrics,
    /// The model's order of the same candidates.
    pub rerank: Metrics,
    /// Seconds that the model took for them, without loading.
    pub seconds: f64,
}

impl fmt::Display for EvalReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queries, queries_left_out, top, documents, seconds, .. } = self;
        writeln!(f, "{:<12}{}", "model", self.model)?;
        writeln!(f, "{:<12}{}, split {}", "data", self.data, self.split)?;
        write!(f, "{:<12}{queries}", "queries")?;
        match queries_left_out {
            0 => writeln!(f)?,
            count => writeln!(f, ", {count} more without relevant documents left out")?,
        }
        writeln!(f, "{:<12}{documents}, BM25's best {top} for each query", "documents")?;
        writeln!(f, "{:<12}{seconds:.1}", "seconds")?;
        writeln!(f)?;
        writeln!(f, "{:<12}{:>8}{:>8}{:>8}", "", "nDCG@10", "MRR@10", "MAP")?;
        for (name, Metrics { ndcg_at_10, mrr_at_10, map }) in
            [("BM25", &self.bm25), ("reranked", &self.rerank)]
        {
            writeln!(f, "{name:<12}{ndcg_at_10:>8.4}{mrr_at_10:>8.4}{map:>8.4}")?;
        }
        Ok(())
    }
}

//! What a ranking is worth: nDCG@10, MRR@10 and MAP, each equal to trec_eval's.
//!
//! A ranking is a strict order here, so there are no ties to break. trec_eval
//! orders by score, and equal scores by name; give it scores that all differ,
//! as `qwen3-rerank eval --runs` does, and it sees the same order.

use serde::Serialize;

/// How far down the list nDCG and MRR look.
const DEPTH: usize = 10;

/// The three figures, of one query or the mean over many; each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// trec_eval's `ndcg_cut.10` (Järvelin and Kekäläinen 2002): Σ gain / log2(rank + 1) over
    /// the first ten, divided by that of the best order of all judged documents.
    /// The gain is the grade itself, 0 below 1.
    pub ndcg_at_10: f64,
    /// trec_eval's `recip_rank` on the first ten: 1 / rank of the first relevant
    /// document, 0 if there is none.
    pub mrr_at_10: f64,
    /// trec_eval's `map`: the sum, over the relevant documents in the ranking, of the
    /// precision down to each, divided by the number of all relevant documents.
    pub map: f64,
}

impl Metrics {
    /// The figures of one query; `None` if nothing is relevant to it, which leaves them undefined.
    ///
    /// `ranked` are the grades of the ranking's documents, best first, 0 for those
    /// without one; `judged` the grades of all judged documents in any order,
    /// whether ranked or not. Grades above 0 are relevant.
    pub fn of(ranked: &[i32], judged: &[i32]) -> Option<Self> {
        let mut ideal: Vec<i32> = judged.iter().copied().filter(|&grade| grade > 0).collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        let relevant = ideal.len();
        let mut found = 0.0;
        let mut precisions = 0.0;
        let mut first = None;
        for (rank, _) in (1..).zip(ranked).filter(|(_, grade)| **grade > 0) {
            found += 1.0;
            precisions += found / f64::from(rank);
            first = first.or(Some(rank));
        }
        let reciprocal = |rank: i32| 1.0 / f64::from(rank);
        (relevant > 0).then(|| Self {
            ndcg_at_10: discounted(ranked) / discounted(&ideal),
            mrr_at_10: first.filter(|&rank| rank as usize <= DEPTH).map_or(0.0, reciprocal),
            map: precisions / relevant as f64,
        })
    }

    /// The mean over queries, each of the same weight; zeros if there are none.
    pub fn mean(queries: &[Self]) -> Self {
        let mean = |figure: fn(&Self) -> f64| {
            queries.iter().map(figure).sum::<f64>() / queries.len().max(1) as f64
        };
        Self {
            ndcg_at_10: mean(|query| query.ndcg_at_10),
            mrr_at_10: mean(|query| query.mrr_at_10),
            map: mean(|query| query.map),
        }
    }
}

/// Discounted cumulative gain of the first ten.
fn discounted(grades: &[i32]) -> f64 {
    let gain = |(rank, &grade): (i32, &i32)| f64::from(grade.max(0)) / f64::from(rank + 1).log2();
    // A sum of none is -0.0.
    (1..).zip(grades).take(DEPTH).map(gain).fold(0.0, |sum, gain| sum + gain)
}

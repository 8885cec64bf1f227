//! Finding candidates: BM25 over the whole corpus, in memory.

use bm25::{Embedder, EmbedderBuilder, Language, Scorer};
use rayon::prelude::*;

/// Anserini's parameters, with which BEIR's published BM25 figures were made
/// (Kamalloo et al. 2023, "flat": title and text as one field, as here).
const K1: f32 = 0.9;
const B: f32 = 0.4;

/// An index of documents by their words, about 30 bytes for each word of each:
/// 200,000 documents of 150 words take 0.9 GB.
///
/// Words are told apart by 64-bit hashes: at 32 bits, a large corpus has some that collide.
pub struct Index {
    embedder: Embedder<u64>,
    scorer: Scorer<usize, u64>,
}

impl Index {
    /// Indexes `texts`; `step` is called once for each, from any thread.
    pub fn new(texts: &[&str], step: impl Fn() + Sync) -> Self {
        let builder = EmbedderBuilder::<u64>::with_fit_to_corpus(Language::English, texts);
        let embedder = builder.k1(K1).b(B).build();
        let embed = |text: &&str| {
            step();
            embedder.embed(text)
        };
        let embeddings: Vec<_> = texts.par_iter().map(embed).collect();
        let mut scorer = Scorer::new();
        for (document, embedding) in embeddings.into_iter().enumerate() {
            scorer.upsert(&document, embedding);
        }
        Self { embedder, scorer }
    }

    /// The best `top` of the documents that share a word with `query` and that
    /// `keep` takes, best first, equal scores in the order of the corpus.
    pub fn search(&self, query: &str, top: usize, keep: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut found = self.scorer.matches(&self.embedder.embed(query));
        found.retain(|scored| keep(scored.id));
        // The crate's own order is that of a hash map where scores are equal.
        found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        found.iter().take(top).map(|scored| scored.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 5] = [
        "The cat sat on the mat.",
        "Cats, cats and dogs: a garden full of running cats",
        "A dog runs in the garden",
        "Café in the garden of the cat",
        "",
    ];

    fn index() -> Index {
        Index::new(&TEXTS, || ())
    }

    #[test]
    fn scores_follow_the_formula() {
        let index = index();
        let query = index.embedder.embed("cats running, running");
        // cat, sat, mat; cat, cat, dog, garden, full, run, cat; dog, run, garden; cafe, garden, cat; none.
        let mean = (3 + 7 + 3 + 3) as f32 / 5.0;
        let idf = |documents: f32| (1.0 + (5.0 - documents + 0.5) / (documents + 0.5)).ln();
        let term = |count: f32, length: f32| {
            count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / mean))
        };
        // "run" stands twice in the query, so it counts twice.
        let expected = [
            idf(3.0) * term(1.0, 3.0),
            idf(3.0) * term(3.0, 7.0) + 2.0 * idf(2.0) * term(1.0, 7.0),
            2.0 * idf(2.0) * term(1.0, 3.0),
            idf(3.0) * term(1.0, 3.0),
            0.0,
        ];
        for (document, expected) in expected.into_iter().enumerate() {
            let found = index.scorer.score(&document, &query).unwrap();
            assert!((found - expected).abs() < 1e-5, "{document}: {found}, not {expected}");
        }
    }

    #[test]
    fn equal_scores_keep_the_order_of_the_corpus() {
        // A new index each time: the crate's hash maps are seeded anew.
        for _ in 0..20 {
            assert_eq!(index().search("cat", 9, |_| true), [1, 0, 3]);
        }
    }

    #[test]
    fn only_what_matches_and_is_kept_is_found() {
        let search = |query, top| index().search(query, top, |document| document != 1);
        assert_eq!(search("CAFE gardens", 9), [3, 2]);
        assert_eq!(search("CAFE gardens", 1), [3]);
        assert!(search("elephant", 9).is_empty() && search("the of and", 9).is_empty());
        assert!(search("", 9).is_empty());
    }
}

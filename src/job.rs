//! A request under way, one bounded step at a time, so that its caller can
//! report progress, answer others, or stop in the middle of a document.

use std::sync::Arc;

use serde::Serialize;

use crate::batch::{Batch, pack};
use crate::model::{Behind, Model, Pass};
use crate::prompts::Prompts;
use crate::{Error, Ranked, Ranking, RerankRequest, Reranker, Result, Score, Usage};

/// Most bytes of keys and values that are kept for a shared prefix; of a longer
/// one, the rest is computed with every document.
const MAX_PREFIX_BYTES: usize = 256 << 20;

/// How far a job has come. Equal documents count as done together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Documents that have a score.
    pub documents: usize,
    /// Documents of the request.
    pub total: usize,
}

/// A request under way. It owns its data; each call takes the model it started on.
pub struct Job {
    prompts: Prompts,
    top_n: Option<usize>,
    /// Batches still to run, the next one last.
    batches: Vec<Batch>,
    prefix: State,
    pass: Option<Pass>,
    /// By sequence, as far as scored.
    margins: Vec<f32>,
    /// By sequence: number of documents that it stands for.
    copies: Vec<usize>,
    done: usize,
    /// Tokens that went into passes so far.
    evaluated: usize,
}

enum State {
    /// Ids whose keys and values are still to be computed.
    Missing(Vec<u32>),
    Ready(Behind),
}

impl Job {
    pub(crate) fn new(
        model: &Model,
        mut prompts: Prompts,
        batch_tokens: usize,
        request: &RerankRequest,
    ) -> Self {
        let kept = prompts.shared.len().min(MAX_PREFIX_BYTES / model.prefix_bytes_per_token());
        let rest = prompts.shared.split_off(kept);
        for sequence in &mut prompts.sequences {
            sequence.splice(..0, rest.iter().copied());
        }
        let mut copies = vec![0; prompts.sequences.len()];
        for &(sequence, _) in &prompts.documents {
            copies[sequence] += 1;
        }
        let mut batches = pack(&prompts.sequences, batch_tokens);
        batches.reverse();
        let prefix = State::Missing(prompts.shared.clone());
        let top_n = request.top_n;
        Self {
            prompts,
            top_n,
            batches,
            prefix,
            pass: None,
            margins: vec![],
            copies,
            done: 0,
            evaluated: 0,
        }
    }

    /// Runs one layer of one batch; `None` once all documents are scored.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if the text needs an embedding that the file
    /// lacks; [`Error::Tensor`] if candle fails. The job is then of no more use.
    ///
    /// # Panics
    /// If `reranker` is another than the job started on, of other sizes.
    pub fn step(&mut self, reranker: &Reranker) -> Result<Option<Progress>> {
        let model = reranker.model();
        let mut pass = match self.pass.take() {
            Some(pass) => pass,
            None => match self.next_pass(reranker)? {
                Some(pass) => {
                    self.evaluated += pass.tokens();
                    pass
                }
                None => return Ok(None),
            },
        };
        if pass.step(model) {
            self.pass = Some(pass);
        } else {
            self.take_result(reranker, pass);
        }
        Ok(Some(Progress { documents: self.done, total: self.prompts.documents.len() }))
    }

    fn next_pass(&mut self, reranker: &Reranker) -> Result<Option<Pass>> {
        let model = reranker.model();
        if let State::Missing(ids) = &self.prefix {
            let found = reranker.prefixes().longest(ids);
            if found.tokens < ids.len() {
                // One document alone needs no pass of its own behind that of the prefix.
                if let [sequence] = &self.prompts.sequences[..] {
                    self.batches.clear();
                    return Pass::whole(model, ids, sequence, found).map(Some);
                }
                return Pass::prefix(model, ids, found).map(Some);
            }
            self.prefix = State::Ready(found);
        }
        let State::Ready(behind) = &self.prefix else { unreachable!("it was made ready: bug") };
        let batch = self.batches.pop();
        batch.map(|batch| Pass::documents(model, &batch, behind.clone())).transpose()
    }

    fn take_result(&mut self, reranker: &Reranker, mut pass: Pass) {
        let model = reranker.model();
        if let Some(prefix) = pass.take_prefix(model) {
            let prefix = Arc::new(prefix);
            reranker.prefixes().keep(prefix.clone());
            self.prefix = State::Ready(Behind::whole(prefix));
        }
        let before = self.margins.len();
        self.margins.extend(pass.into_margins(model));
        self.done += self.copies[before..self.margins.len()].iter().sum::<usize>();
    }

    /// Orders the documents by margin, ties as they came, and keeps `top_n`.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if a margin is not finite.
    ///
    /// # Panics
    /// If [`Job::step`] has not yet returned `None`.
    pub fn finish(self, reranker: &Reranker) -> Result<Ranking> {
        assert_eq!(self.margins.len(), self.prompts.sequences.len(), "all are scored");
        let shared = self.prompts.shared.len();
        let length = |sequence: usize| shared + self.prompts.sequences[sequence].len();
        let mut results = Vec::with_capacity(self.prompts.documents.len());
        let mut usage = Usage { prompt_tokens: 0, evaluated_tokens: self.evaluated };
        for (index, &(sequence, truncated)) in self.prompts.documents.iter().enumerate() {
            usage.prompt_tokens += length(sequence);
            let score = Score::new(self.margins[sequence], length(sequence), truncated)
                .ok_or(Error::NotFinite { index })?;
            results.push(Ranked { index, score });
        }
        results.sort_by(|a, b| b.score.margin.partial_cmp(&a.score.margin).expect("finite: bug"));
        results.truncate(self.top_n.unwrap_or(usize::MAX));
        let model = reranker.info().name.clone();
        Ok(Ranking { model, results, usage, warnings: self.prompts.warnings })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::LoadOptions;

    /// Margins of prompts that share their first `shared` ids, each followed by
    /// one of `sequences`.
    fn margins(reranker: &Reranker, shared: &[u32], sequences: Vec<Vec<u32>>) -> Vec<f32> {
        let documents = (0..sequences.len()).map(|sequence| (sequence, false)).collect();
        let prompts = Prompts { shared: shared.to_vec(), sequences, documents, warnings: vec![] };
        let request = RerankRequest::new("", vec![]);
        let mut job = Job::new(reranker.model(), prompts, 100, &request);
        while job.step(reranker).unwrap().is_some() {}
        job.margins
    }

    #[test]
    fn a_shared_prefix_changes_no_score() {
        let file = include_bytes!("../tests/fixtures/qwen3-rerank-untrained.gguf");
        let options = LoadOptions::default();
        let reranker = Reranker::load(Cursor::new(file), options, &mut |_| {}).unwrap();
        let common: Vec<u32> = (0..40).map(|i| i * 97 % 10_000).collect();
        let own = |n: u32| (0..n).map(|i| (i * 89 + n) % 10_000).collect::<Vec<u32>>();
        let whole: Vec<Vec<u32>> =
            [1, 7, 60, 150, 2].iter().map(|&n| [common.clone(), own(n)].concat()).collect();
        let alone = margins(&reranker, &[], whole.clone());
        for shared in [1, 13, 40] {
            let rest: Vec<_> = whole.iter().map(|ids| ids[shared..].to_vec()).collect();
            // The second time keys and values are there from the first.
            for _ in 0..2 {
                let found = margins(&reranker, &common[..shared], rest.clone());
                assert_eq!(alone, found, "{shared} ids shared");
            }
        }
        // One alone goes with what precedes it, and leaves that behind for the next.
        let file = Cursor::new(file);
        let fresh = Reranker::load(file, LoadOptions::default(), &mut |_| {}).unwrap();
        for (ids, expected) in whole.iter().zip(&alone) {
            let found = margins(&fresh, &common[..25], vec![ids[25..].to_vec()]);
            assert_eq!(found, [*expected], "one document behind 25 shared ids");
        }
        // A part of a kept prefix, and more than it.
        for shared in [20, 30, 7] {
            let rest = whole.iter().map(|ids| ids[shared..].to_vec()).collect();
            assert_eq!(alone, margins(&reranker, &common[..shared], rest), "{shared} ids shared");
        }
        assert!(alone.iter().any(|a| (a - alone[0]).abs() > 0.01), "{alone:?} do not differ");
    }
}

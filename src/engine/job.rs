//! A request under way, one bounded step at a time, so that its caller can
//! report progress, answer others, or stop in the middle of a document.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;

use super::reranker::Reranker;
use crate::engine::batch::next_batch;
use crate::model::{Behind, Model, Pass};
use crate::prompt::encode::{Encoder, Prompts};
use crate::{Error, Ranked, Ranking, Result, Score, Usage, Warning};

/// Most bytes of keys and values that a request keeps for its shared prefix: about 1,170 tokens of the
/// 0.6B shape; of a longer one, the rest is computed with every document.
pub const MAX_PREFIX_BYTES: usize = 256 << 20;

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
    /// [`Reranker::id`] of that model.
    reranker: usize,
    stage: Stage,
    prompts: Prompted,
    top_n: Option<usize>,
    batch_tokens: usize,
    pass: Option<Pass>,
    /// By sequence, as far as scored.
    margins: Vec<f32>,
    done: usize,
    /// Tokens that went into passes so far.
    evaluated: usize,
}

/// What comes next.
enum Stage {
    /// Documents to encode.
    Texts(Box<Encoder>),
    /// The keys and values of ids that all prompts begin with.
    Prefix(Vec<u32>),
    /// Documents behind those.
    Documents(Behind),
}

/// What a job knows of its prompts.
#[derive(Default)]
struct Prompted {
    /// Ids that all prompts begin with.
    shared: usize,
    /// Those of them that go with every document, since keys and values of so many are not kept.
    repeated: Vec<u32>,
    /// What follows them, as far as not yet in a batch.
    sequences: VecDeque<Vec<u32>>,
    /// By sequence: ids of its own, and number of documents that it stands for.
    sizes: Vec<(usize, usize)>,
    /// By document: its sequence, and whether it was cut.
    documents: Vec<(usize, bool)>,
    warnings: Vec<Warning>,
}

impl Job {
    pub(crate) fn new(
        reranker: usize,
        encoder: Encoder,
        batch_tokens: usize,
        top_n: Option<usize>,
    ) -> Self {
        Self {
            reranker,
            stage: Stage::Texts(Box::new(encoder)),
            prompts: Prompted::default(),
            top_n,
            batch_tokens,
            pass: None,
            margins: vec![],
            done: 0,
            evaluated: 0,
        }
    }

    /// Encodes some documents, or runs one layer of one batch; `None` once all are scored.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if a document is too long and may not be cut;
    /// [`Error::InvalidModel`] if the text needs an embedding that the file
    /// lacks; [`Error::Tensor`] if candle fails. The job is then of no more use.
    ///
    /// # Panics
    /// If `reranker` is another than the job started on.
    pub fn step(&mut self, reranker: &Reranker) -> Result<Option<Progress>> {
        assert_eq!(self.reranker, reranker.id(), "a job is stepped on the model it started on");
        if let Stage::Texts(encoder) = &mut self.stage {
            let total = encoder.total();
            if !encoder.step(reranker.tokenizer(), reranker.frame())? {
                self.take_prompts(reranker);
            }
            return Ok(Some(Progress { documents: 0, total }));
        }
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
        if pass.step(reranker.model()) {
            self.pass = Some(pass);
        } else {
            self.take_result(reranker, pass);
        }
        Ok(Some(Progress { documents: self.done, total: self.prompts.documents.len() }))
    }

    /// Goes on from the texts to the prompts that they gave.
    fn take_prompts(&mut self, reranker: &Reranker) {
        let stage = std::mem::replace(&mut self.stage, Stage::Documents(Behind::default()));
        let Stage::Texts(encoder) = stage else { unreachable!("prompts come of texts: bug") };
        self.begin(reranker.model(), encoder.finish(reranker.frame()));
    }

    fn begin(&mut self, model: &Model, prompts: Prompts) {
        let Prompts { mut shared, sequences, documents, warnings } = prompts;
        let mut sizes: Vec<_> = sequences.iter().map(|sequence| (sequence.len(), 0)).collect();
        for &(sequence, _) in &documents {
            sizes[sequence].1 += 1;
        }
        let count = shared.len();
        let kept = count.min(MAX_PREFIX_BYTES / model.prefix_bytes_per_token());
        let repeated = shared.split_off(kept);
        let sequences = sequences.into();
        self.prompts = Prompted { shared: count, repeated, sequences, sizes, documents, warnings };
        self.stage = Stage::Prefix(shared);
    }

    fn next_pass(&mut self, reranker: &Reranker) -> Result<Option<Pass>> {
        let model = reranker.model();
        let Prompted { sequences, repeated, .. } = &mut self.prompts;
        if let Stage::Prefix(ids) = &self.stage {
            let found = reranker.prefixes().longest(ids);
            if found.tokens < ids.len() {
                // One document alone needs no pass of its own behind that of the prefix.
                if let [_] = sequences.make_contiguous() {
                    let rest = next_batch(sequences, repeated, self.batch_tokens);
                    let rest = rest.expect("there is one: bug").ids;
                    return Pass::whole(model, ids, &rest, found).map(Some);
                }
                return Pass::prefix(model, ids, found).map(Some);
            }
            self.stage = Stage::Documents(found);
        }
        let Stage::Documents(behind) = &self.stage else { unreachable!("it was made so: bug") };
        let batch = next_batch(sequences, repeated, self.batch_tokens);
        batch.map(|batch| Pass::documents(model, &batch, behind.clone())).transpose()
    }

    fn take_result(&mut self, reranker: &Reranker, mut pass: Pass) {
        let model = reranker.model();
        if let Some(prefix) = pass.take_prefix(model) {
            let prefix = Arc::new(prefix);
            reranker.prefixes().keep(prefix.clone());
            self.stage = Stage::Documents(Behind::whole(prefix));
        }
        let before = self.margins.len();
        self.margins.extend(pass.into_margins(model));
        let scored = &self.prompts.sizes[before..self.margins.len()];
        self.done += scored.iter().map(|(_, copies)| copies).sum::<usize>();
    }

    /// Orders the documents by margin, ties as they came, and keeps `top_n`.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if a margin is not finite.
    ///
    /// # Panics
    /// If [`Job::step`] has not yet returned `None`.
    pub fn finish(self, reranker: &Reranker) -> Result<Ranking> {
        let Prompted { shared, sizes, documents, warnings, .. } = self.prompts;
        let encoded = !matches!(self.stage, Stage::Texts(_));
        assert!(encoded && self.margins.len() == sizes.len(), "all are scored");
        let length = |sequence: usize| shared + sizes[sequence].0;
        let mut results = Vec::with_capacity(documents.len());
        let mut usage = Usage { prompt_tokens: 0, evaluated_tokens: self.evaluated };
        for (index, &(sequence, truncated)) in documents.iter().enumerate() {
            usage.prompt_tokens += length(sequence);
            let score = Score::new(self.margins[sequence], length(sequence), truncated)
                .ok_or(Error::NotFinite { index })?;
            results.push(Ranked { index, score });
        }
        results.sort_by(|a, b| b.score.margin.partial_cmp(&a.score.margin).expect("finite: bug"));
        results.truncate(self.top_n.unwrap_or(usize::MAX));
        let model = reranker.info().name.clone();
        Ok(Ranking { model, results, usage, warnings })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{LoadOptions, RerankRequest};

    /// Margins of prompts that share their first `shared` ids, each followed by
    /// one of `sequences`.
    fn margins(reranker: &Reranker, shared: &[u32], sequences: Vec<Vec<u32>>) -> Vec<f32> {
        let documents = (0..sequences.len()).map(|sequence| (sequence, false)).collect();
        let prompts = Prompts { shared: shared.to_vec(), sequences, documents, warnings: vec![] };
        let mut job = reranker.start(RerankRequest::new("any", vec!["any".into()])).unwrap();
        job.batch_tokens = 100;
        job.begin(reranker.model(), prompts);
        while job.step(reranker).unwrap().is_some() {}
        job.margins
    }

    #[test]
    fn a_shared_prefix_changes_no_score() {
        let file = include_bytes!("../../tests/fixtures/qwen3-rerank-untrained.gguf");
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

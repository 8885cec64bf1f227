//! A request under way, one bounded step at a time, so that its caller can
//! report progress, answer others, or stop in the middle of a document.

use std::sync::Arc;

use serde::Serialize;

use super::batch::next_batch;
use super::job_prompts::JobPrompts;
use super::loaded::Loaded;
use super::ranking::rank;
use crate::Result;
use crate::api::{Ranking, Usage};
use crate::model::{Batch, ForwardPass, PassStep, PrefixHit};
use crate::prompt::encode::Encoder;
use crate::prompt::prompts::Prompts;

/// How far a job has come. Equal documents count as done together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Documents that have a score.
    pub documents: usize,
    /// Documents of the request.
    pub total: usize,
}

/// What a step of a [`Job`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStep {
    /// There is more to do.
    Working(Progress),
    /// There is more to do, but the next step would wait for the device: await [`Job::settled`]
    /// first. The processor never waits.
    Waiting(Progress),
    /// All documents are scored: [`Job::finish`] gives the ranking.
    Done,
}

/// A request under way on a model, which it keeps loaded.
pub struct Job {
    loaded: Arc<Loaded>,
    stage: Stage,
    prompts: JobPrompts,
    top_n: Option<usize>,
    pass: Option<ForwardPass>,
    /// Margins of the sequences scored so far, in order.
    margins: Vec<f32>,
    /// Documents scored so far.
    done: usize,
    /// Tokens that went into passes so far.
    evaluated: usize,
    /// Whether passes make their caller wait, as a GPU does.
    #[cfg(test)]
    waits: bool,
}

/// What a job does next.
enum Stage {
    /// Encode documents.
    Texts(Box<Encoder>),
    /// Find or compute the keys and values of the ids that all prompts begin with.
    Prefix(Vec<u32>),
    /// Score the documents, which follow those.
    Documents(PrefixHit),
}

impl Job {
    pub(super) fn new(loaded: Arc<Loaded>, encoder: Encoder, top_n: Option<usize>) -> Self {
        Self {
            loaded,
            stage: Stage::Texts(Box::new(encoder)),
            prompts: JobPrompts::default(),
            top_n,
            pass: None,
            margins: vec![],
            done: 0,
            evaluated: 0,
            #[cfg(test)]
            waits: false,
        }
    }

    /// Encodes some documents, or runs one layer of one batch.
    ///
    /// # Errors
    /// [`crate::Error::InvalidValue`] if a document is too long and may not be cut;
    /// [`crate::Error::InvalidModel`] if the text needs an embedding that the file
    /// lacks. The job is then of no more use.
    pub fn step(&mut self) -> Result<JobStep> {
        if let Stage::Texts(encoder) = &mut self.stage {
            let total = encoder.total();
            if !encoder.step(&self.loaded.tokenizer)? {
                self.take_prompts();
            }
            return Ok(JobStep::Working(Progress { documents: 0, total }));
        }
        if self.pass.is_none() {
            self.pass = self.next_pass()?;
        }
        let Some(mut pass) = self.pass.take() else { return Ok(JobStep::Done) };
        let step = pass.step(&self.loaded.model);
        match step {
            PassStep::Done => self.take_result(pass),
            PassStep::More | PassStep::Waiting => self.pass = Some(pass),
        }
        let progress = Progress { documents: self.done, total: self.prompts.documents.len() };
        Ok(match step {
            PassStep::Waiting => JobStep::Waiting(progress),
            PassStep::More | PassStep::Done => JobStep::Working(progress),
        })
    }

    /// Done once the next [`Job::step`] would not wait for the device.
    pub async fn settled(&self) {
        if let Some(pass) = &self.pass {
            pass.settled().await;
        }
    }

    /// Goes on from the texts to the prompts that they gave.
    fn take_prompts(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Documents(PrefixHit::default()));
        let Stage::Texts(encoder) = stage else { unreachable!("prompts come of texts: bug") };
        let prompts = encoder.finish();
        self.begin(prompts);
    }

    fn begin(&mut self, prompts: Prompts) {
        let Loaded { model, options, .. } = &*self.loaded;
        let max_prefix = options.max_prefix_bytes / model.prefix_bytes_per_token();
        let (prompts, prefix) = JobPrompts::new(prompts, max_prefix);
        (self.prompts, self.stage) = (prompts, Stage::Prefix(prefix));
    }

    fn next_pass(&mut self) -> Result<Option<ForwardPass>> {
        let Some(batch) = self.next_batch() else { return Ok(None) };
        self.evaluated += batch.ids.len();
        let pass = ForwardPass::new(&self.loaded.model, batch)?;
        #[cfg(test)]
        let pass = if self.waits { pass.waiting() } else { pass };
        Ok(Some(pass))
    }

    fn next_batch(&mut self) -> Option<Batch> {
        let limit = self.loaded.options.batch_tokens;
        let JobPrompts { sequences, repeated, .. } = &mut self.prompts;
        if let Stage::Prefix(ids) = &self.stage {
            let hit = self.loaded.prefix_cache.lookup(ids);
            let known = hit.tokens;
            if known < ids.len() {
                let mut own = ids[known..].to_vec();
                // A single document goes in the pass of its prefix, which needs no pass before it.
                let scored = sequences.len() == 1;
                if scored {
                    own.extend([&repeated[..], &sequences.pop_front()?].concat());
                }
                let mut batch = Batch::single(&own, hit);
                let segment = &mut batch.segments[0];
                (segment.scored, segment.recorded) = (scored, ids.len());
                return Some(batch);
            }
            self.stage = Stage::Documents(hit);
        }
        let Stage::Documents(hit) = &self.stage else { unreachable!("it was made so: bug") };
        next_batch(sequences, hit, repeated, limit)
    }

    fn take_result(&mut self, pass: ForwardPass) {
        let output = pass.finish(&self.loaded.model);
        for (_, prefix) in output.recorded {
            let prefix = Arc::new(prefix);
            self.loaded.prefix_cache.insert(prefix.clone());
            self.stage = Stage::Documents(PrefixHit::whole(prefix));
        }
        let before = self.margins.len();
        self.margins.extend(output.margins);
        self.done += self.prompts.documents_of(before..self.margins.len());
    }

    /// Orders the documents by margin, ties as they came, and keeps `top_n`.
    ///
    /// # Errors
    /// [`crate::Error::NotFinite`] if a margin is not finite.
    ///
    /// # Panics
    /// If [`Job::step`] has not yet returned [`JobStep::Done`].
    pub fn finish(self) -> Result<Ranking> {
        let Self { prompts, margins, evaluated, loaded, .. } = self;
        let encoded = !matches!(self.stage, Stage::Texts(_));
        assert!(encoded && margins.len() == prompts.sizes.len(), "all are scored");
        let results = rank(prompts.scored(&margins)?, self.top_n);
        let usage = Usage { prompt_tokens: prompts.lengths().sum(), evaluated_tokens: evaluated };
        let model = loaded.info.name.clone();
        Ok(Ranking { model, results, usage, warnings: prompts.warnings })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::model::Model;
    use crate::{LoadOptions, RerankRequest, Reranker};

    fn load(change: impl FnOnce(&mut LoadOptions)) -> Reranker {
        let file = include_bytes!("../../tests/fixtures/qwen3-rerank-untrained.gguf");
        let mut options = LoadOptions { batch_tokens: 100, ..LoadOptions::default() };
        change(&mut options);
        Reranker::load(Cursor::new(file), options, &mut |_| {}).unwrap()
    }

    /// A job whose prompts share their first `shared` ids, each followed by one of `sequences`.
    fn job(reranker: &Reranker, shared: &[u32], sequences: Vec<Vec<u32>>) -> Job {
        let documents = (0..sequences.len()).map(|sequence| (sequence, false)).collect();
        let prompts = Prompts { shared: shared.to_vec(), sequences, documents, warnings: vec![] };
        let mut job = reranker.start(RerankRequest::new("any", vec!["any".into()])).unwrap();
        job.begin(prompts);
        job
    }

    fn margins(reranker: &Reranker, shared: &[u32], sequences: Vec<Vec<u32>>) -> Vec<f32> {
        let mut job = job(reranker, shared, sequences);
        while job.step().unwrap() != JobStep::Done {}
        job.margins
    }

    /// The first 40 ids, and five prompts that begin with them.
    fn prompts() -> (Vec<u32>, Vec<Vec<u32>>) {
        let common: Vec<u32> = (0..40).map(|i| i * 97 % 10_000).collect();
        let own = |n: u32| (0..n).map(|i| (i * 89 + n) % 10_000).collect::<Vec<u32>>();
        let whole = [1, 7, 60, 150, 2].iter().map(|&n| [common.clone(), own(n)].concat()).collect();
        (common, whole)
    }

    fn without(shared: usize, whole: &[Vec<u32>]) -> Vec<Vec<u32>> {
        whole.iter().map(|ids| ids[shared..].to_vec()).collect()
    }

    #[test]
    fn a_shared_prefix_changes_no_score() {
        let (common, whole) = prompts();
        let reranker = load(|_| ());
        let alone = margins(&reranker, &[], whole.clone());
        for shared in [1, 13, 40] {
            // The second time keys and values are there from the first.
            for _ in 0..2 {
                let found = margins(&reranker, &common[..shared], without(shared, &whole));
                assert_eq!(alone, found, "{shared} ids shared");
            }
        }
        // A single document goes with its prefix, which the next one finds.
        let fresh = load(|_| ());
        for (ids, expected) in whole.iter().zip(&alone) {
            let found = margins(&fresh, &common[..25], vec![ids[25..].to_vec()]);
            assert_eq!(found, [*expected], "one document after 25 shared ids");
        }
        // A part of a cached prefix, and more than it.
        for shared in [20, 30, 7] {
            let found = margins(&reranker, &common[..shared], without(shared, &whole));
            assert_eq!(alone, found, "{shared} ids shared");
        }
        assert!(alone.iter().any(|a| (a - alone[0]).abs() > 0.01), "{alone:?} do not differ");
    }

    #[test]
    fn a_prefix_beyond_the_limit_is_repeated_and_changes_no_score() {
        let (common, whole) = prompts();
        let alone = margins(&load(|_| ()), &[], whole.clone());
        let token = load(|_| ()).model().prefix_bytes_per_token();
        for kept in [0, 1, 13, 39, 40] {
            let load = || load(|options| options.max_prefix_bytes = kept * token + token / 2);
            let mut job = job(&load(), &common, without(40, &whole));
            while job.step().unwrap() != JobStep::Done {}
            assert_eq!(alone, job.margins, "{kept} of 40 ids kept");
            let own: usize = whole.iter().map(|ids| ids.len() - kept).sum();
            assert_eq!(job.evaluated, kept + own, "{kept} of 40 ids kept");
            // One document alone, where no prefix is cached.
            let found = margins(&load(), &common, vec![whole[3][40..].to_vec()]);
            assert_eq!(found, [alone[3]], "one document, {kept} of 40 ids kept");
        }
    }

    #[test]
    fn a_small_prefix_cache_changes_no_score() {
        let (common, whole) = prompts();
        let alone = margins(&load(|_| ()), &[], whole.clone());
        let token = load(|_| ()).model().prefix_bytes_per_token();
        for cached in [0, 1, 30] {
            let reranker = load(|options| options.prefix_cache_bytes = cached * token);
            for _ in 0..2 {
                let found = margins(&reranker, &common, without(40, &whole));
                assert_eq!(alone, found, "{cached} tokens cached");
            }
            let mut job = job(&reranker, &common, without(40, &whole));
            while job.step().unwrap() != JobStep::Done {}
            let own: usize = whole.iter().map(|ids| ids.len() - 40).sum();
            assert_eq!(job.evaluated, own + 40 - cached, "{cached} tokens cached");
        }
    }

    /// The margins of a batch, and what it recorded.
    fn run(model: &Model, batch: Batch) -> (Vec<f32>, Vec<PrefixHit>) {
        let mut pass = ForwardPass::new(model, batch).unwrap();
        while pass.step(model) != PassStep::Done {}
        let output = pass.finish(model);
        let hit = |(_, prefix)| PrefixHit::whole(Arc::new(prefix));
        (output.margins, output.recorded.into_iter().map(hit).collect())
    }

    #[test]
    fn segments_behind_different_prefixes_share_a_pass() {
        let (common, whole) = prompts();
        let reranker = load(|_| ());
        let model = reranker.model();
        let other: Vec<u32> = (0..17).map(|i| i * 131 % 10_000).collect();
        let others: Vec<Vec<u32>> =
            [3, 40].iter().map(|&n| [&other[..], &whole[1][..n]].concat()).collect();
        let all = [&whole[..], &others].concat();
        let alone: Vec<f32> = all
            .iter()
            .map(|ids| run(model, Batch::single(ids, PrefixHit::default())).0[0])
            .collect();
        // One pass records both prefixes, and scores a document without one.
        let mut batch = Batch::default();
        for ids in [&common, &other] {
            let segment = batch.push(ids, PrefixHit::default());
            (segment.scored, segment.recorded) = (false, ids.len());
        }
        batch.push(&all[0], PrefixHit::default());
        let (margins, hits) = run(model, batch);
        assert_eq!(margins, [alone[0]]);
        // The next mixes documents that follow one, the other, a part of one, and none.
        let mut batch = Batch::default();
        // A part as long as the other prefix, in front of a document behind that.
        let part = PrefixHit { tokens: other.len(), ..hits[0].clone() };
        for (document, hit) in
            [(1, &hits[0]), (5, &hits[1]), (2, &hits[0]), (3, &part), (6, &hits[1])]
        {
            batch.push(&all[document][hit.tokens..], hit.clone());
        }
        batch.push(&all[4], PrefixHit::default());
        let (margins, _) = run(model, batch);
        assert_eq!(margins, [1, 5, 2, 3, 6, 4].map(|document| alone[document]));
    }

    #[test]
    fn a_pass_that_waits_gives_the_same_scores() {
        let (common, whole) = prompts();
        let reranker = load(|_| ());
        let alone = margins(&reranker, &[], whole.clone());
        let mut job = job(&load(|_| ()), &common, without(40, &whole));
        job.waits = true;
        let mut waits = 0;
        loop {
            match job.step().unwrap() {
                JobStep::Working(_) => {}
                JobStep::Waiting(_) => {
                    waits += 1;
                    pollster::block_on(job.settled());
                }
                JobStep::Done => break,
            }
        }
        assert!(waits > 10, "{waits}");
        assert_eq!(job.margins, alone);
    }
}

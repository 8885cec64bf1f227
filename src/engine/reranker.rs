//! A loaded model, ready to rerank.

use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::job::{Job, JobStep, Progress};
use super::loaded::Loaded;
use super::options::{Diagnostics, LoadOptions};
use super::prefix_cache::PrefixCache;
use crate::gguf::Reader;
use crate::kernel;
use crate::model::{Config, LoadProgress, Model, ModelInfo, pooling};
use crate::prompt::encode::Encoder;
use crate::prompt::template::Template;
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Ranking, RerankRequest, Result};

/// A loaded model, ready to rerank. Clones are cheap and share it, among threads too: requests
/// change no score of others.
#[derive(Clone)]
pub struct Reranker(Arc<Loaded>);

impl Reranker {
    /// Loads a GGUF file, tensor by tensor: memory holds at most one tensor twice.
    ///
    /// # Errors
    /// [`Error::InvalidModel`], [`Error::UnsupportedModel`] or [`Error::Io`],
    /// saying what and where; [`Error::InvalidValue`] if `max_length` leaves no
    /// room within the prompt's template.
    pub fn load<R: Read + Seek>(
        source: R,
        options: LoadOptions,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        Self::load_shards(vec![source], options, progress)
    }

    /// Loads a model whose GGUF file is split into several, given in any order;
    /// [`crate::gguf::open_shards`] finds them by the name of one.
    ///
    /// # Errors
    /// As [`Reranker::load`], and [`Error::InvalidModel`] unless the files are one whole model.
    pub fn load_shards<R: Read + Seek>(
        sources: Vec<R>,
        options: LoadOptions,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let mut reader = Reader::from_shards(sources)?;
        pooling::check(&reader.metadata, options.any_pooling)?;
        let config = Config::from_gguf(&reader)?;
        let tokenizer = Tokenizer::from_gguf(&reader.metadata)?;
        let template = Template::from_gguf(&reader.metadata, &tokenizer)?;
        let name = match &options.name {
            Some(name) => name.clone(),
            None => {
                let name = reader.metadata.label("general.name")?;
                name.map_or_else(|| "qwen3-reranker".to_string(), |name| name.into_owned())
            }
        };
        let max_length = options.max_length.min(config.max_position_embeddings);
        if max_length <= template.len() {
            let reason = format!(
                "is {max_length}; the prompt template alone takes {} tokens",
                template.len()
            );
            return Err(Error::value("max_length", reason));
        }
        let reserve = options.reserve_bytes();
        let model = Model::load(&mut reader, config, &tokenizer, reserve, progress)?;
        let info = model.info(&reader, name, max_length);
        let prefix_cache = PrefixCache::new(options.prefix_cache_bytes);
        Ok(Self(Arc::new(Loaded { model, tokenizer, info, options, template, prefix_cache })))
    }

    /// What is loaded.
    pub fn info(&self) -> &ModelInfo {
        &self.0.info
    }

    /// What the model runs on.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics {
            backend: kernel::best_isa().name(),
            threads: kernel::threads(),
            paths: self.0.model.paths(),
        }
    }

    /// The tokenizer of the loaded file.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.0.tokenizer
    }

    /// The template of the model's prompts.
    pub fn template(&self) -> &Template {
        &self.0.template
    }

    /// Orders a request's documents, best first.
    ///
    /// # Errors
    /// As [`Reranker::start`], [`Job::step`] and [`Job::finish`].
    pub fn rerank(&self, request: &RerankRequest) -> Result<Ranking> {
        self.rerank_with(request.clone(), |_| ControlFlow::Continue(()))
    }

    /// Orders a request's documents, best first. `progress` is called after every bounded step,
    /// several times a second; if it answers [`ControlFlow::Break`], the work stops.
    ///
    /// # Errors
    /// As [`Reranker::rerank`], and [`Error::Aborted`] if `progress` broke off.
    pub fn rerank_with(
        &self,
        request: impl Into<Arc<RerankRequest>>,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Ranking> {
        let mut job = self.start(request)?;
        loop {
            let done = match job.step()? {
                JobStep::Working(done) => done,
                JobStep::Waiting(done) => {
                    pollster::block_on(job.settled());
                    done
                }
                JobStep::Done => return job.finish(),
            };
            if progress(done).is_break() {
                return Err(Error::Aborted);
            }
        }
    }

    /// Checks a request by itself and against the model, and scores nothing: that its texts fit is
    /// otherwise found out by [`Job::step`].
    ///
    /// # Errors
    /// As [`Reranker::start`] and [`Job::step`].
    pub fn check(&self, request: impl Into<Arc<RerankRequest>>) -> Result<()> {
        let request = request.into();
        request.validate()?;
        let Loaded { template, info, tokenizer, .. } = &*self.0;
        let mut encoder = Encoder::new(template, info.max_length, request)?;
        while encoder.step(tokenizer)? {}
        Ok(())
    }

    /// Checks a request by itself. The work is then done by [`Job::step`], so that a caller
    /// may stop between steps by dropping the job.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] naming the field and the limit.
    pub fn start(&self, request: impl Into<Arc<RerankRequest>>) -> Result<Job> {
        let request = request.into();
        request.validate()?;
        let top_n = request.top_n;
        let Loaded { template, info, .. } = &*self.0;
        let encoder = Encoder::new(template, info.max_length, request)?;
        Ok(Job::new(self.0.clone(), encoder, top_n))
    }

    /// The model alone, for benchmarks.
    #[cfg(any(feature = "native", target_arch = "wasm32", test))]
    pub(crate) fn model(&self) -> &Model {
        &self.0.model
    }
}

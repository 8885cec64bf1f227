//! The whole pipeline: a loaded model, its requests, and their order.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use super::job::{Job, MAX_PREFIX_BYTES};
use crate::engine::prefix_cache::{self, Prefixes};
use crate::gguf::Reader;
use crate::kernel::{self, Backend};
use crate::model::LoadProgress;
use crate::model::{Config, Model, ModelInfo};
use crate::prompt::encode::Encoder;
use crate::prompt::tokenizer::{Frame, Tokenizer};
use crate::{Error, Ranking, RerankRequest, Result};

/// Bytes that requests need beside the weights: keys and values of their prefixes, and a forward
/// pass with the vocabulary.
const RESERVE_BYTES: u64 = (MAX_PREFIX_BYTES + prefix_cache::MAX_BYTES + (128 << 20)) as u64;

/// How to load a model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The model's name in answers; `None` takes `general.name` of the file.
    pub name: Option<String>,
    /// Longest prompt in tokens, frame included: 8192 as in the reference, or
    /// the file's context length if that is shorter.
    pub max_length: usize,
    /// Documents are laid end to end up to this many tokens a pass, which bounds
    /// what it takes, whatever their number. A longer one has a pass to itself.
    pub batch_tokens: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { name: None, max_length: 8192, batch_tokens: 512 }
    }
}

/// What a model runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostics {
    /// The instruction set that the kernels use.
    pub backend: &'static str,
    /// Threads that share the work.
    pub threads: usize,
    /// What multiplies the matrices, by type.
    pub paths: BTreeMap<String, &'static str>,
}

/// A loaded model, ready to rerank. Threads may share it: requests change no score of others.
pub struct Reranker {
    model: Model,
    tokenizer: Tokenizer,
    info: ModelInfo,
    options: LoadOptions,
    frame: Frame,
    prefixes: Prefixes,
    id: usize,
}

impl Reranker {
    /// Loads a GGUF file, tensor by tensor: memory holds at most one tensor twice.
    ///
    /// # Errors
    /// [`Error::InvalidModel`], [`Error::UnsupportedModel`] or [`Error::Io`],
    /// saying what and where; [`Error::InvalidValue`] if `max_length` leaves no
    /// room within the prompt's frame.
    pub fn load<R: Read + Seek>(
        source: R,
        options: LoadOptions,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let mut reader = Reader::new(source)?;
        let config = Config::from_gguf(&reader.metadata)?;
        let tokenizer = Tokenizer::from_gguf(&reader.metadata)?;
        let frame = tokenizer.frame()?;
        let name = match &options.name {
            Some(name) => name.clone(),
            None => reader.metadata.text("general.name")?.unwrap_or("qwen3-reranker").to_string(),
        };
        let max_length = options.max_length.min(config.context_length);
        if max_length <= frame.len() {
            let reason =
                format!("is {max_length}; the prompt's frame alone takes {} tokens", frame.len());
            return Err(Error::value("max_length", reason));
        }
        let model = Model::load(&mut reader, config, &tokenizer, RESERVE_BYTES, progress)?;
        let info = model.info(&reader, name, max_length);
        static LOADED: AtomicUsize = AtomicUsize::new(0);
        let (prefixes, id) = (Prefixes::default(), LOADED.fetch_add(1, Ordering::Relaxed));
        Ok(Self { model, tokenizer, info, options, frame, prefixes, id })
    }

    /// What is loaded.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What the model runs on.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics {
            backend: Backend::best().name(),
            threads: kernel::threads(),
            paths: self.model.paths(),
        }
    }

    /// The tokenizer of the loaded file.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Orders a request's documents, best first.
    ///
    /// # Errors
    /// As [`Reranker::start`], [`Job::step`] and [`Job::finish`].
    pub fn rerank(&self, request: &RerankRequest) -> Result<Ranking> {
        let mut job = self.start(request.clone())?;
        while job.step(self)?.is_some() {}
        job.finish(self)
    }

    /// Checks a request. The work is then done by [`Job::step`], so that a caller
    /// may stop between steps by dropping the job.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] naming the field and the limit.
    pub fn start(&self, request: impl Into<Arc<RerankRequest>>) -> Result<Job> {
        let request = request.into();
        request.validate()?;
        let top_n = request.top_n;
        let encoder = Encoder::new(&self.tokenizer, &self.frame, self.info.max_length, request)?;
        Ok(Job::new(self.id, encoder, self.options.batch_tokens, top_n))
    }

    /// A number that no other model of this process has.
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(crate) fn prefixes(&self) -> &Prefixes {
        &self.prefixes
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }
}

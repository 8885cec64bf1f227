//! What the handlers share.

use super::body_budget::BodyBudget;
use super::options::Options;
use super::queue::Queue;
use crate::{Error, RerankRequest, Reranker};

/// What the handlers share.
pub(super) struct AppState {
    pub(super) reranker: Reranker,
    pub(super) options: Options,
    pub(super) queue: Queue,
    pub(super) body_budget: BodyBudget,
}

impl AppState {
    pub(super) fn new(reranker: Reranker, options: Options) -> Self {
        let queue = Queue::new(options.queue);
        let body_budget = BodyBudget::new(options.body_limit);
        Self { reranker, options, queue, body_budget }
    }

    /// Fails if only the model's names are taken and the request has another.
    pub(super) fn check_model(&self, request: &RerankRequest) -> Result<(), Error> {
        if !self.options.strict_model {
            return Ok(());
        }
        let mut names = vec![self.reranker.info().name.as_str()];
        for alias in &self.options.aliases {
            if !names.contains(&alias.as_str()) {
                names.push(alias);
            }
        }
        request.check_model(&names)
    }
}

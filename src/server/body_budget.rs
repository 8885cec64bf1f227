//! A bound on the bytes that the bodies of all requests take together.
//!
//! Ours, because tower_http's limits are for each body alone.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bodies of the largest size fit at a time; a request takes a few times its body's size.
const LARGEST_BODIES: usize = 8;

/// Bytes that the bodies of all requests may take together.
pub(super) struct BodyBudget(Arc<Semaphore>);

/// A request's share of the budget, given back when dropped.
#[derive(Default)]
pub(super) struct BodyPermit(Option<OwnedSemaphorePermit>);

impl BodyBudget {
    /// A budget for several bodies of `body_limit` bytes.
    pub(super) fn new(body_limit: usize) -> Self {
        let bytes = body_limit.saturating_mul(LARGEST_BODIES).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Adds `bytes` to what `permit` holds, if there are so many left.
    pub(super) fn try_reserve(&self, bytes: usize, permit: &mut BodyPermit) -> bool {
        let Ok(count) = u32::try_from(bytes) else { return false };
        let Ok(more) = self.0.clone().try_acquire_many_owned(count) else { return false };
        match &mut permit.0 {
            Some(held) => held.merge(more),
            None => permit.0 = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_comes_free_with_its_permit() {
        let budget = BodyBudget::new(100);
        let (mut first, mut second) = (BodyPermit::default(), BodyPermit::default());
        assert!(budget.try_reserve(500, &mut first) && budget.try_reserve(200, &mut first));
        assert!(!budget.try_reserve(101, &mut second));
        assert!(budget.try_reserve(100, &mut second));
        drop(first);
        assert!(budget.try_reserve(700, &mut second));
        assert!(!budget.try_reserve(1, &mut second));
    }
}

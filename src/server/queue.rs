//! One inference at a time, and a bounded queue of requests that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::error::ApiError;

/// Runs work on a blocking thread, one piece at a time in order of arrival.
pub(super) struct Queue {
    /// A permit for each piece of work that runs or waits.
    queue_permits: Arc<Semaphore>,
    /// The one permit of the work that runs.
    inference_permits: Arc<Semaphore>,
}

/// Tells work that nobody waits for its result any more.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets the stop when the request's future is dropped, as it is when the client leaves.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Queue {
    /// A queue in which `waiting` pieces of work may wait while one runs.
    pub(super) fn new(waiting: usize) -> Self {
        let permits = waiting.saturating_add(1).min(Semaphore::MAX_PERMITS);
        Self {
            queue_permits: Arc::new(Semaphore::new(permits)),
            inference_permits: Arc::new(Semaphore::new(1)),
        }
    }

    /// Waits for the inference permit and does `work`. Dropping the future leaves the queue, or
    /// asks running work to stop.
    ///
    /// # Errors
    /// 429 if the queue is full, 500 if `work` panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Stop) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let queue_permit =
            self.queue_permits.clone().try_acquire_owned().map_err(|_| ApiError::busy())?;
        let inference_permits = self.inference_permits.clone();
        let inference_permit =
            inference_permits.acquire_owned().await.map_err(|_| ApiError::internal())?;
        let stop = Stop::default();
        let _guard = StopOnDrop(stop.clone());
        let task = tokio::task::spawn_blocking(move || {
            // Held by the work, not by the request: work that is asked to stop goes on to its next step.
            let _permits = (queue_permit, inference_permit);
            work(&stop)
        });
        task.await.map_err(|error| {
            tracing::error!("inference failed: {error}");
            ApiError::internal()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_beyond_the_queue_is_refused_until_other_work_ends() {
        let queue = Arc::new(Queue::new(0));
        let (go, wait) = mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let queue = queue.clone();
            async move {
                queue
                    .run(move |_| {
                        started.send(()).expect("the test waits");
                        wait.recv().expect("the test sends");
                    })
                    .await
            }
        });
        running.await.unwrap();
        // At once: a place in the queue would wait for the first one, which waits for this test.
        let second = tokio::time::timeout(Duration::from_secs(5), queue.run(|_| ()));
        let refused = second.await.expect("it is refused at once").unwrap_err();
        assert_eq!(refused.status.as_u16(), 429);
        go.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(queue.run(|_| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_queue_goes_on() {
        let queue = Queue::new(1);
        let error = queue.run::<()>(|_| panic!("on purpose")).await.unwrap_err();
        assert_eq!(error.status.as_u16(), 500);
        assert_eq!(queue.run(|_| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn work_is_told_when_its_request_is_dropped() {
        let queue = Arc::new(Queue::new(0));
        let (started, running) = tokio::sync::oneshot::channel();
        let (stopped, told) = tokio::sync::oneshot::channel();
        let request = tokio::spawn({
            let queue = queue.clone();
            async move {
                queue
                    .run(move |stop| {
                        started.send(()).expect("the test waits");
                        while !stop.is_set() {
                            std::thread::yield_now();
                        }
                        stopped.send(()).expect("the test waits");
                    })
                    .await
            }
        });
        running.await.unwrap();
        request.abort();
        told.await.unwrap();
    }
}

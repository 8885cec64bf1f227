//! A batch on its way through a model, on whichever device holds the layers.

use super::batch::Batch;
use super::cpu::pass::CpuPass;
use super::kv_prefix::KvPrefix;
use super::qwen3::Model;
use crate::Result;

/// A batch on its way through the layers, a bounded step at a time.
///
/// A device that computes by itself (a GPU) is one more variant: its step submits work and may
/// answer [`PassStep::Waiting`], until [`ForwardPass::settled`] is done.
pub enum ForwardPass {
    /// On the processor.
    Cpu(CpuPass),
    /// On the processor, but waiting between steps as a GPU does.
    #[cfg(test)]
    Slow(CpuPass, slow::Delay),
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassStep {
    /// There are more steps.
    More,
    /// There are more steps, but the next would wait: await [`ForwardPass::settled`] first.
    #[cfg_attr(not(test), expect(dead_code, reason = "the processor never waits"))]
    Waiting,
    /// The pass is finished.
    Done,
}

/// What a finished pass gives.
pub struct PassOutput {
    /// Logit of yes less logit of no of each scored segment, in order.
    pub margins: Vec<f32>,
    /// By recorded segment: its index in the batch, and its prefix.
    pub recorded: Vec<(usize, KvPrefix)>,
}

impl ForwardPass {
    /// Starts on `batch`.
    ///
    /// # Errors
    /// [`crate::Error::InvalidModel`] if an id has no embedding.
    pub fn new(model: &Model, batch: Batch) -> Result<Self> {
        let hidden = model.embed(&batch.ids)?;
        Ok(Self::Cpu(CpuPass::new(&model.config, batch, hidden)))
    }

    /// Runs one layer.
    pub fn step(&mut self, model: &Model) -> PassStep {
        let pass = match self {
            Self::Cpu(pass) => pass,
            #[cfg(test)]
            Self::Slow(pass, delay) => {
                if delay.begin() {
                    return PassStep::Waiting;
                }
                pass
            }
        };
        match pass.step(&model.config, model.layers()) {
            true => PassStep::More,
            false => PassStep::Done,
        }
    }

    /// Done once the next step would not wait.
    pub async fn settled(&self) {
        match self {
            Self::Cpu(_) => {}
            #[cfg(test)]
            Self::Slow(_, delay) => delay.settled().await,
        }
    }

    /// The margins and recorded prefixes of a finished pass, which waits for nothing more.
    ///
    /// # Panics
    /// If [`ForwardPass::step`] has not given [`PassStep::Done`].
    pub fn finish(self, model: &Model) -> PassOutput {
        let pass = match self {
            Self::Cpu(pass) => pass,
            #[cfg(test)]
            Self::Slow(pass, _) => pass,
        };
        let (hidden, recorded) = pass.finish(model.layers());
        PassOutput { margins: model.margins(hidden), recorded }
    }

    /// The same pass, but one that waits between steps.
    #[cfg(test)]
    pub fn waiting(self) -> Self {
        match self {
            Self::Cpu(pass) => Self::Slow(pass, slow::Delay::default()),
            slow => slow,
        }
    }
}

#[cfg(test)]
pub mod slow {
    //! A device that makes its caller wait.

    use std::cell::Cell;
    use std::future::poll_fn;
    use std::task::Poll;

    /// Waits once before every step.
    #[derive(Default)]
    pub struct Delay {
        waiting: Cell<bool>,
        polls: Cell<usize>,
        begun: bool,
    }

    impl Delay {
        /// Whether the step has to wait first.
        ///
        /// # Panics
        /// If what was asked to wait did not.
        pub fn begin(&mut self) -> bool {
            assert!(!self.waiting.get(), "a step came before the pass was settled");
            self.begun = !self.begun;
            self.waiting.set(self.begun);
            self.begun
        }

        /// Ready at the third poll.
        pub async fn settled(&self) {
            poll_fn(|context| {
                self.polls.set(self.polls.get() + 1);
                if self.polls.get().is_multiple_of(3) {
                    self.waiting.set(false);
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }
}

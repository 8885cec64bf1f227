//! Qwen3-Reranker from quantized GGUF files: the same crate in the browser
//! (WebAssembly) and natively.
//!
//! ```text
//! wire ─→ prompt ─→ tokenizer ─→ batch ─→ model (kernel) ─→ score ─→ reranker ─→ wire
//! JSON    text      ids          ragged    logits            margin   order       JSON
//! ```
//!
//! [`Reranker::load`] reads a model from any `Read + Seek`;
//! [`Reranker::rerank`] answers a [`RerankRequest`]. The core opens no files or
//! sockets; the faces that do are [`native`] (command line and HTTP) and the
//! JavaScript package, which calls the bindings of `wasm`.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use qwen3_rerank::{LoadOptions, RerankRequest, Reranker};
//!
//! let file = std::fs::File::open("Qwen3-Reranker-0.6B.Q8_0.gguf")?;
//! let reranker = Reranker::load(file, LoadOptions::default(), &mut |_| {})?;
//! let ranking = reranker.rerank(&RerankRequest::new("a query", vec!["a document".into()]))?;
//! println!("{:?}", ranking.results);
//! # Ok(())
//! # }
//! ```

mod batch;
mod error;
pub mod gguf;
mod job;
mod kernel;
mod model;
#[cfg(feature = "native")]
pub mod native;
mod prefixes;
pub mod prompt;
mod prompts;
mod reranker;
mod score;
pub mod tokenizer;
#[cfg(target_arch = "wasm32")]
mod wasm;
pub mod wire;

/// The kernels, for `benches/`; no part of the interface.
#[cfg(feature = "bench")]
#[doc(hidden)]
pub use kernel::bench;

pub use error::{Error, Result};
pub use job::{Job, Progress};
pub use model::{Config, Head, ModelInfo};
pub use reranker::{
    Diagnostics, LoadOptions, LoadProgress, Ranked, Ranking, Reranker, Usage, Warning,
};
pub use score::Score;
pub use wire::RerankRequest;

//! Qwen3-Reranker from quantized GGUF files: the same crate in the browser
//! (WebAssembly) and natively.
//!
//! ```text
//! api ─→ prompt ─→ engine ─→ model (kernel) ─→ engine ─→ api
//! JSON   text, ids  batches   margins           order     JSON
//! ```
//!
//! [`Reranker::load`] reads a model from any `Read + Seek`;
//! [`Reranker::rerank`] answers a [`RerankRequest`]. The core opens no files or
//! sockets; the faces that do are [`cli`] and [`server`], and the JavaScript
//! package, which calls the bindings of `wasm`. [`convert`] writes model files and
//! [`eval`] measures how well a model orders.
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

pub mod api;
#[cfg(feature = "native")]
pub mod cli;
#[cfg(feature = "native")]
pub mod convert;
mod engine;
mod error;
#[cfg(feature = "native")]
pub mod eval;
pub mod gguf;
#[cfg(feature = "native")]
mod input_file;
mod kernel;
mod model;
pub mod prompt;
#[cfg(feature = "native")]
pub mod server;
#[cfg(target_arch = "wasm32")]
mod wasm;

/// The kernels, for `benches/`; no part of the interface.
#[cfg(feature = "bench")]
#[doc(hidden)]
pub use kernel::bench;

pub use api::{Ranked, Ranking, RerankRequest, Score, Usage, Warning};
pub use engine::{Diagnostics, Job, JobStep, LoadOptions, Progress, Reranker};
pub use error::{Error, Result};
pub use model::{Config, EMBEDDED_MODEL, Head, LoadProgress, ModelInfo, RopeScaling};

//! The faces of the native build: command line and HTTP server.

mod architecture;
mod checkpoint;
pub mod cli;
#[cfg(feature = "embedded-model")]
pub mod embedded;
mod encode;
mod file_type;
mod json;
pub mod metrics;
mod partial_file;
mod progress;
pub mod quantize;
pub mod random;
pub mod server;
mod source;
mod stream;
mod vocabulary;

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A name for an answer, unlike any other of this process and most likely of any.
fn answer_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("rerank"));
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("rerank-{:016x}-{}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

//! Names for answers.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A name for an answer, unlike any other of this process and most likely of any.
pub(crate) fn answer_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("rerank"));
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("rerank-{:016x}-{}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

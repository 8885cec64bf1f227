//! Threads in WebAssembly, where no system starts them: each thread of rayon's pool is run by a worker of the page.
//!
//! Every worker instantiates the module anew on the same memory, so a static is shared by all of them.

use std::sync::{Condvar, Mutex, PoisonError};

use js_sys::WebAssembly::{Memory, Module};
use rayon::{ThreadBuilder, ThreadPoolBuilder};
use wasm_bindgen::prelude::*;

/// Threads of the pool that no worker runs yet.
static PENDING_THREADS: Mutex<Vec<ThreadBuilder>> = Mutex::new(Vec::new());

/// Notified when a thread was added to [`PENDING_THREADS`].
static THREAD_ADDED: Condvar = Condvar::new();

/// The compiled module, for the workers of the other threads.
#[wasm_bindgen(js_name = sharedModule)]
pub fn shared_module() -> Module {
    wasm_bindgen::module().unchecked_into()
}

/// The memory that those workers run on.
#[wasm_bindgen(js_name = sharedMemory)]
pub fn shared_memory() -> Memory {
    wasm_bindgen::memory().unchecked_into()
}

/// Makes a pool of this thread and `threads - 1` more, and waits until that many
/// workers have called [`run_thread`]. May be called once in a memory.
///
/// # Errors
/// If the pool exists already.
#[wasm_bindgen(js_name = startThreads)]
pub fn start_threads(threads: usize) -> Result<(), JsError> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).use_current_thread();
    let pool = pool.spawn_handler(|thread| {
        PENDING_THREADS.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        THREAD_ADDED.notify_one();
        Ok(())
    });
    Ok(pool.build_global()?)
}

/// Runs one thread of the pool, and never returns.
#[wasm_bindgen(js_name = runThread)]
pub fn run_thread() {
    let pending = PENDING_THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut pending = THREAD_ADDED
        .wait_while(pending, |pending| pending.is_empty())
        .unwrap_or_else(PoisonError::into_inner);
    let thread = pending.pop().expect("the wait ends when a thread is pending: bug");
    drop(pending);
    thread.run();
}

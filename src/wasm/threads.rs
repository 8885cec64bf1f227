//! Threads where there is no system to start them: rayon's seats, which workers of the page take.
//!
//! Each worker instantiates the module anew on the same memory, so a static is
//! all that the seats and those who wait for them need to meet.

use std::sync::{Condvar, Mutex, PoisonError};

use js_sys::WebAssembly::{Memory, Module};
use rayon::{ThreadBuilder, ThreadPoolBuilder};
use wasm_bindgen::prelude::*;

/// Threads of the pool that no worker runs yet.
static SEATS: Mutex<Vec<ThreadBuilder>> = Mutex::new(Vec::new());

/// Wakes a worker when a seat is free.
static SEATED: Condvar = Condvar::new();

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
/// workers have entered [`run_thread`]. May be called once in a memory.
#[wasm_bindgen(js_name = startThreads)]
pub fn start_threads(threads: usize) -> Result<(), JsError> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).use_current_thread();
    let pool = pool.spawn_handler(|seat| {
        SEATS.lock().unwrap_or_else(PoisonError::into_inner).push(seat);
        SEATED.notify_one();
        Ok(())
    });
    Ok(pool.build_global()?)
}

/// Runs one thread of the pool; never comes back.
#[wasm_bindgen(js_name = runThread)]
pub fn run_thread() {
    let seats = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut seats =
        SEATED.wait_while(seats, |seats| seats.is_empty()).unwrap_or_else(PoisonError::into_inner);
    let seat = seats.pop().expect("there is a seat: bug");
    drop(seats);
    seat.run();
}

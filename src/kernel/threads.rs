//! Loops that threads share: rayon's threads with the feature `threads`, else the calling one alone.

/// The number of threads that share loops.
pub fn threads() -> usize {
    #[cfg(feature = "threads")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    1
}

#[cfg(feature = "threads")]
mod many {
    use std::cell::Cell;
    use std::hint::spin_loop;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};

    use rayon::Yield;

    use super::threads;

    /// Polls without work after which a thread lets rayon put it to sleep: some tenths of a
    /// millisecond, longer than a pass computes between two loops.
    const MAX_IDLE_POLLS: usize = 10_000;
    /// Polls after which a waiting thread yields its processor to other threads.
    const POLLS_PER_YIELD: usize = 64;

    /// Threads that were asked to stay awake and have not started to. While there are any, no thread
    /// is asked again.
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    /// Threads that stay awake.
    static AWAKE: AtomicUsize = AtomicUsize::new(0);

    thread_local! {
        /// Whether this thread stays awake, or runs [`on_threads`] itself.
        static BUSY: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs `work` on one of the threads, while the others stay awake for the loops within it.
    ///
    /// Rayon puts a thread to sleep after 33 polls for work with a yield in between, which does nothing
    /// in WebAssembly: there a thread would sleep after every loop, and waking it takes as long as a
    /// small loop.
    pub fn on_threads<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        rayon::scope(|_| {
            let before = BUSY.replace(true);
            let _end = OnDrop(|| BUSY.set(before));
            wake_others();
            let result = work();
            // This thread was asked to stay awake too. In WebAssembly it never polls by itself, so it
            // takes its own request here; elsewhere it might take work of the caller.
            #[cfg(target_arch = "wasm32")]
            while rayon::yield_local() == Some(Yield::Executed) {}
            result
        })
    }

    /// Asks all threads to stay awake, unless they do already. It waits for none of them: a thread may be
    /// busy with other work, and is not asked again before it has answered.
    fn wake_others() {
        let all = threads();
        let needed = AWAKE.load(Ordering::Relaxed) + 1 < all;
        let ask = || ASKED.compare_exchange(0, all, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if needed && ask() {
            rayon::spawn_broadcast(|_| {
                ASKED.fetch_sub(1, Ordering::Relaxed);
                stay_awake();
            });
        }
    }

    /// Takes part in all loops until [`MAX_IDLE_POLLS`] polls have found no work.
    fn stay_awake() {
        if BUSY.replace(true) {
            return;
        }
        AWAKE.fetch_add(1, Ordering::Relaxed);
        let mut idle = 0;
        while idle < MAX_IDLE_POLLS {
            match rayon::yield_now() {
                Some(Yield::Executed) => idle = 0,
                _ => idle += 1,
            }
            wait(idle);
        }
        AWAKE.fetch_sub(1, Ordering::Relaxed);
        BUSY.set(false);
    }

    /// Pauses before the next poll.
    fn wait(polls: usize) {
        if polls % POLLS_PER_YIELD == POLLS_PER_YIELD - 1 {
            std::thread::yield_now();
        }
        spin_loop();
    }

    /// Calls `work(index)` for each index below `count`.
    pub fn for_each(count: usize, work: impl Fn(usize) + Sync) {
        let next = AtomicUsize::new(0);
        let claim = || {
            let take = |start| (start < count).then(|| start + share(count - start));
            let start = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
            Some(start..start + share(count - start))
        };
        run(count, claim, |range| range.for_each(&work));
    }

    /// Calls `work(index, chunk)` for each `size`-long chunk of `data`.
    pub fn for_each_chunk<T: Send>(
        data: &mut [T],
        size: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let nothing = &mut vec![(); data.len()][..];
        for_each_pair_of_chunks((data, nothing), (size, size), |index, chunk, _| {
            work(index, chunk)
        });
    }

    /// Calls `work(index, chunk, chunk)` for the chunks of two slices in parallel; both have the same
    /// number of chunks.
    pub fn for_each_pair_of_chunks<A: Send, B: Send>(
        (a, b): (&mut [A], &mut [B]),
        (size_a, size_b): (usize, usize),
        work: impl Fn(usize, &mut [A], &mut [B]) + Sync,
    ) {
        let count = a.len().div_ceil(size_a);
        assert_eq!(count, b.len().div_ceil(size_b));
        let left = Mutex::new((0, a, b));
        let claim = || {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            let (start, a, b) = &mut *left;
            let taken = share(count - *start);
            let first = *start;
            *start += taken;
            let part = (first, take(a, taken * size_a), take(b, taken * size_b));
            (taken > 0).then_some(part)
        };
        run(count, claim, |(first, a, b)| {
            let mut rest = b;
            for (index, a) in a.chunks_mut(size_a).enumerate() {
                work(first + index, a, take(&mut rest, size_b));
            }
        });
    }

    /// Splits off the first `length` elements, or all if there are fewer.
    fn take<'a, T>(slice: &mut &'a mut [T], length: usize) -> &'a mut [T] {
        let whole = std::mem::take(slice);
        let (first, rest) = whole.split_at_mut(length.min(whole.len()));
        *slice = rest;
        first
    }

    /// How many of the `left` tasks a thread takes at once: fewer and fewer, so that all threads end at
    /// the same time (guided self-scheduling, Polychronopoulos and Kuck, 1987).
    fn share(left: usize) -> usize {
        left.div_ceil(2 * threads())
    }

    /// Runs `work` on all threads for each part of `count` tasks that `claim` returns.
    fn run<P>(count: usize, claim: impl Fn() -> Option<P> + Sync, work: impl Fn(P) + Sync) {
        let all = || {
            while let Some(part) = claim() {
                work(part);
            }
        };
        let helpers = threads().min(count).saturating_sub(1);
        if helpers == 0 {
            return all();
        }
        let busy = AtomicUsize::new(0);
        rayon::scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| {
                    busy.fetch_add(1, Ordering::Relaxed);
                    let _end = OnDrop(|| busy.fetch_sub(1, Ordering::Release));
                    all();
                });
            }
            all();
            // The remaining tasks are short, and rayon's own wait might sleep: see `on_threads`.
            let mut polls = 0;
            while busy.load(Ordering::Acquire) > 0 {
                wait(polls);
                polls += 1;
            }
        });
    }

    /// Calls a function when its scope ends, by a panic too.
    struct OnDrop<T, F: Fn() -> T>(F);

    impl<T, F: Fn() -> T> Drop for OnDrop<T, F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
}

#[cfg(not(feature = "threads"))]
mod one {
    /// Runs `work`.
    pub fn on_threads<T>(work: impl FnOnce() -> T) -> T {
        work()
    }

    /// Calls `work(index)` for each index below `count`.
    pub fn for_each(count: usize, work: impl Fn(usize) + Sync) {
        (0..count).for_each(work);
    }

    /// Calls `work(index, chunk)` for each `size`-long chunk of `data`.
    pub fn for_each_chunk<T: Send>(
        data: &mut [T],
        size: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        data.chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
    }

    /// Calls `work(index, chunk, chunk)` for the chunks of two slices in parallel; both have the same
    /// number of chunks.
    pub fn for_each_pair_of_chunks<A: Send, B: Send>(
        (a, b): (&mut [A], &mut [B]),
        (size_a, size_b): (usize, usize),
        work: impl Fn(usize, &mut [A], &mut [B]) + Sync,
    ) {
        let pairs = a.chunks_mut(size_a).zip(b.chunks_mut(size_b));
        pairs.enumerate().for_each(|(index, (a, b))| work(index, a, b));
    }
}

#[cfg(feature = "threads")]
pub use many::*;
#[cfg(not(feature = "threads"))]
pub use one::*;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_task_runs_once() {
        for count in [0, 1, 2, 7, 1000] {
            let runs: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            on_threads(|| {
                for_each(count, |index| {
                    runs[index].fetch_add(1, Ordering::Relaxed);
                });
            });
            assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1), "{count}: {runs:?}");
        }
    }

    #[test]
    fn chunks_come_with_their_index_and_side_by_side() {
        for count in [0, 1, 5, 64, 1001] {
            let (mut a, mut b) = (vec![0; 3 * count], vec![0; 2 * count]);
            let _ = (a.pop(), b.pop()); // the last chunks are shorter
            for_each_pair_of_chunks((&mut a, &mut b), (3, 2), |index, a, b| {
                a.fill(index);
                b.fill(index);
            });
            assert!(a.iter().enumerate().all(|(place, index)| *index == place / 3), "{a:?}");
            assert!(b.iter().enumerate().all(|(place, index)| *index == place / 2), "{b:?}");
            for_each_chunk(&mut a, 4, |index, a| a.fill(index));
            assert!(a.iter().enumerate().all(|(place, index)| *index == place / 4), "{a:?}");
        }
    }

    #[test]
    fn callers_side_by_side_get_their_own_loops() {
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        on_threads(|| {
                            for_each(8, |index| {
                                sum.fetch_add(index, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 500 * 28);
    }

    #[test]
    #[cfg(feature = "threads")]
    fn a_thread_that_is_held_up_holds_up_no_other() {
        // The first thread of the pool is the test's own, which runs no work of the pool.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).use_current_thread();
        let pool = pool.build().expect("a pool");
        std::thread::scope(|scope| {
            let all = || pool.install(|| (0..100).for_each(|_| on_threads(|| for_each(8, |_| {}))));
            scope.spawn(all).join().expect("no panic");
        });
        // It answers at last. Otherwise no thread would be asked again, as pools share the counters.
        while rayon::yield_now() == Some(rayon::Yield::Executed) {}
    }

    #[test]
    fn a_panic_comes_back_and_leaves_the_threads_whole() {
        for _ in 0..10 {
            let loops = || on_threads(|| for_each(64, |index| assert_ne!(index, 63)));
            assert!(std::panic::catch_unwind(loops).is_err());
        }
        every_task_runs_once();
    }
}

//! Loops over all threads there are: rayon's with the feature `threads`, else the one.

/// How many threads share the work.
pub fn threads() -> usize {
    #[cfg(feature = "threads")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    1
}

#[cfg(feature = "threads")]
mod many {
    use rayon::prelude::*;

    /// Runs `work` on one of the threads. From outside each loop within it would hand over to
    /// them and wait, which costs several microseconds.
    pub fn on_threads<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        rayon::scope(|_| work())
    }

    /// Calls `work(index)` for each index below `count`.
    pub fn for_each(count: usize, work: impl Fn(usize) + Sync) {
        (0..count).into_par_iter().for_each(&work);
    }

    /// Calls `work(index, chunk)` for each `size`-long chunk of `data`.
    pub fn for_each_chunk<T: Send>(
        data: &mut [T],
        size: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        data.par_chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
    }

    /// Calls `work(index, chunk, chunk)` for the chunks of two slices, side by side.
    pub fn for_each_pair_of_chunks<A: Send, B: Send>(
        (a, b): (&mut [A], &mut [B]),
        (size_a, size_b): (usize, usize),
        work: impl Fn(usize, &mut [A], &mut [B]) + Sync,
    ) {
        let pairs = a.par_chunks_mut(size_a).zip(b.par_chunks_mut(size_b));
        pairs.enumerate().for_each(|(index, (a, b))| work(index, a, b));
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

    /// Calls `work(index, chunk, chunk)` for the chunks of two slices, side by side.
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

//! Which form of the relaxed dot product is fast here: a WebAssembly module cannot ask.
//!
//! The dot product that adds to 32 bits is one instruction on some processors (AVX-VNNI, NEON's
//! dotprod), three to five on others; there, products added in 16 bits take less. Small
//! loops of each tell, as the engine optimizes those within milliseconds. Timing the kernels
//! themselves does not: they are large, and may run unoptimized for a quarter of a second.

use crate::gguf::TensorType;
use std::arch::wasm32::*;
use std::hint::black_box;

use super::linear::{Linear, multiply_on};
use super::relaxed::{Bytes, bytes};
use super::{BLOCK, ROWS};
use crate::kernel::backend::{Backend, Kind};
use crate::kernel::lanes::each;

/// Sums side by side, as in a kernel, so that an instruction's latency does not count.
const SUMS: usize = 8;
/// Products in one call.
const STEPS: usize = 256;
/// Calls between two looks at the clock.
const CALLS: usize = 64;
/// Milliseconds that a measurement takes at least; it lasts from one tick of the clock to another,
/// however coarse a browser makes that.
const LEAST: f64 = 0.4;
/// Milliseconds that all take at least: those in which the engine optimizes.
const SPAN: f64 = 25.0;
/// Measurements without a better one that end it, and the most.
const SETTLED: usize = 8;
const ROUNDS: usize = 200;
/// What a better time is, as a share of the best.
const BETTER: f64 = 0.9;

type Loop = fn(&[v128; SUMS]) -> v128;

/// The fastest of `dot` and `short` that gives the reference's results, or else `neither`.
///
/// `clock` tells milliseconds.
pub(in crate::kernel) fn fastest(
    dot: Backend,
    short: Backend,
    neither: Backend,
    clock: impl Fn() -> f64,
) -> Backend {
    match [dot, short].map(is_right) {
        [false, false] => neither,
        [true, false] => dot,
        [false, true] => short,
        [true, true] => {
            let [dots, shorts] = times([dots, shorts], clock);
            if dots < shorts { dot } else { short }
        }
    }
}

/// The least milliseconds that each loop's calls take.
fn times(loops: [Loop; 2], clock: impl Fn() -> f64) -> [f64; 2] {
    let mut best = [f64::INFINITY; 2];
    let begun = clock();
    let mut settled = 0;
    for _ in 0..ROUNDS {
        let mut better = false;
        // In turn, so that what else the machine does meets both.
        for (run, best) in loops.into_iter().zip(&mut best) {
            let took = time(run, &clock);
            better |= took < *best * BETTER;
            *best = best.min(took);
        }
        settled = if better { 0 } else { settled + 1 };
        if settled >= SETTLED && clock() - begun >= SPAN {
            break;
        }
    }
    best
}

/// Milliseconds that [`CALLS`] calls take.
fn time(run: Loop, clock: &impl Fn() -> f64) -> f64 {
    let vectors: [v128; SUMS] = each(|i| i8x16_splat(i as i8 * 5 - 17));
    let call = || {
        for _ in 0..CALLS {
            black_box(run(black_box(&vectors)));
        }
        clock()
    };
    let before = clock();
    let mut start = call();
    while start == before {
        start = call();
    }
    let mut calls = 0.0;
    loop {
        let now = call();
        calls += 1.0;
        if now - start >= LEAST {
            return (now - start) / calls;
        }
    }
}

/// Dot products added to 32 bits.
#[inline(never)]
fn dots(vectors: &[v128; SUMS]) -> v128 {
    let weights = i8x16_splat(3);
    let mut sums = [i32x4_splat(0); SUMS];
    for _ in 0..STEPS {
        let vectors = black_box(vectors);
        sums = each(|i| i32x4_relaxed_dot_i8x16_i7x16_add(vectors[i], weights, sums[i]));
    }
    sums.into_iter().fold(i32x4_splat(0), |a, b| i32x4_add(a, b))
}

/// Dot products added in 16 bits.
#[inline(never)]
fn shorts(vectors: &[v128; SUMS]) -> v128 {
    let weights = i8x16_splat(3);
    let mut sums = [i16x8_splat(0); SUMS];
    for _ in 0..STEPS {
        let vectors = black_box(vectors);
        sums = each(|i| i16x8_add(sums[i], i16x8_relaxed_dot_i8x16_i7x16(vectors[i], weights)));
    }
    sums.into_iter().fold(i16x8_splat(0), |a, b| i16x8_add(a, b))
}

/// Whether a backend multiplies as the reference does: engines may differ in relaxed instructions.
fn is_right(backend: Backend) -> bool {
    [(TensorType::Q4_0, BLOCK / 2), (TensorType::Q8_0, BLOCK)].into_iter().all(|(dtype, bytes)| {
        let block = |i: usize| {
            let mut block = vec![0x00, 0x3c];
            block.extend((0..bytes).map(|j| (i * 31 + j * 17) as u8));
            block
        };
        let raw: Vec<u8> = (0..ROWS * 4).flat_map(block).collect();
        let linear = Linear::new_on(Backend::SCALAR, dtype, &raw, ROWS, 4 * BLOCK);
        let x: Vec<f32> = (0..5 * 4 * BLOCK).map(|i| (i % 101) as f32 - 50.0).collect();
        multiply_on(backend, [&linear], &x) == multiply_on(Backend::SCALAR, [&linear], &x)
    })
}

/// The backend whose dot product multiplies weights of 8 bits at once, if there is one here.
pub(in crate::kernel) fn relaxed_bytes() -> Option<Kind> {
    bytes().map(|taken| match taken {
        Bytes::Signed => Kind::RelaxedSigned,
        Bytes::Unsigned => Kind::RelaxedUnsigned,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_coarse_clock_tells_the_faster_loop() {
        let now = Cell::new(0.0);
        // A loop takes no time here but what it says, which a clock of whole milliseconds sees.
        thread_local!(static SPENT: Cell<f64> = const { Cell::new(0.0) });
        let slow: Loop = |vectors| {
            SPENT.set(SPENT.get() + 0.003);
            vectors[0]
        };
        let fast: Loop = |vectors| {
            SPENT.set(SPENT.get() + 0.002);
            vectors[0]
        };
        let clock = || {
            now.set(now.get() + SPENT.take());
            f64::floor(now.get())
        };
        let [first, second] = times([slow, fast], clock);
        assert!(first > 1.2 * second, "{first} and {second}");
    }

    #[test]
    fn all_loops_give_the_references_results() {
        for backend in Backend::available() {
            assert!(is_right(backend), "{backend:?}");
        }
    }
}

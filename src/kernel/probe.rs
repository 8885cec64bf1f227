//! Which dot products of relaxed SIMD are fast here: a WebAssembly module cannot ask.
//!
//! The dot product that adds to 32 bits is one instruction on some processors (AVX-VNNI, NEON's
//! dotprod), three to five on others; there, products added in 16 bits may take less time, and for weights
//! of 8 bits simd128's product of 16-bit values. Small loops of each are timed, which the engine
//! optimizes within milliseconds. The kernels themselves are too large to be timed: they may run
//! unoptimized for a quarter of a second.

use std::arch::wasm32::*;
use std::hint::black_box;

use super::isa::{ByteDot, Isa, Kind, NarrowDot, RelaxedDots};
use super::lanes::array_from_fn;
pub use super::matmul::relaxed_check::byte_dot;
use super::matmul::relaxed_check::is_right;
use crate::gguf::TensorType;

/// Sums that each loop keeps, as in a kernel, so that an instruction's latency does not count.
const SUMS: usize = 8;
/// Products in one call.
const STEPS: usize = 256;
/// Calls between two readings of the clock.
const CALLS: usize = 64;
/// Milliseconds that a measurement takes at least; it lasts from one tick of the clock to another,
/// and browsers differ in how long a tick is.
const MIN_MEASUREMENT: f64 = 0.4;
/// Milliseconds that all measurements take at least: the engine optimizes during these.
const MIN_TOTAL: f64 = 25.0;
/// Rounds without a better time that end the measurements.
const SETTLED_ROUNDS: usize = 8;
/// Most rounds.
const MAX_ROUNDS: usize = 200;
/// What a better time is, as a share of the best.
const BETTER: f64 = 0.9;

type Loop = fn(&[v128; SUMS]) -> v128;

/// Milliseconds that the same number of weights takes, by dot product.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// The relaxed one, added to 32 bits; for weights of 8 bits it is the same instruction.
    sums32: f64,
    /// The relaxed one, added in 16 bits.
    sums16: f64,
    /// The one of simd128, of 16-bit values.
    simd128: f64,
}

/// The dot products that give the reference's results here.
#[derive(Clone, Debug)]
struct Exact {
    narrow: Vec<NarrowDot>,
    /// How the relaxed one takes weights of 8 bits, if exactly.
    bytes: Option<ByteDot>,
}

/// The fastest kernels that give the reference's results; `clock` tells milliseconds.
pub fn fastest(clock: impl Fn() -> f64) -> Kind {
    choose(&exact(), || times(clock))
}

/// Decides by the clock, separately for weights of at most 6 bits and for those of 8.
fn choose(exact: &Exact, times: impl FnOnce() -> Times) -> Kind {
    let Some(&first) = exact.narrow.first() else { return Kind::Simd128 };
    if exact.narrow.len() == 1 && exact.bytes.is_none() {
        return Kind::Relaxed(RelaxedDots { narrow: first, bytes: ByteDot::Simd128 });
    }
    let times = times();
    let time = |dot: &NarrowDot| match dot {
        NarrowDot::Sums32 => times.sums32,
        NarrowDot::Sums16 => times.sums16,
    };
    let narrow = exact.narrow.iter().copied().min_by(|a, b| time(a).total_cmp(&time(b)));
    let bytes = exact.bytes.filter(|_| times.sums32 < times.simd128);
    let dots =
        RelaxedDots { narrow: narrow.unwrap_or(first), bytes: bytes.unwrap_or(ByteDot::Simd128) };
    Kind::Relaxed(dots)
}

/// Multiplies with each dot product and compares with the reference.
fn exact() -> Exact {
    let right = |narrow, bytes, dtype| {
        is_right(Isa::new(Kind::Relaxed(RelaxedDots { narrow, bytes })), dtype)
    };
    let narrow = [NarrowDot::Sums16, NarrowDot::Sums32];
    let narrow = narrow.into_iter().filter(|&dot| right(dot, ByteDot::Simd128, TensorType::Q4_0));
    let bytes = byte_dot().filter(|&dot| right(NarrowDot::Sums32, dot, TensorType::Q8_0));
    Exact { narrow: narrow.collect(), bytes }
}

fn times(clock: impl Fn() -> f64) -> Times {
    let [sums32, sums16, simd128] = least_times([sums_in_32_bits, sums_in_16_bits, wide], clock);
    Times { sums32, sums16, simd128 }
}

/// The least milliseconds that each loop's calls take.
fn least_times<const N: usize>(loops: [Loop; N], clock: impl Fn() -> f64) -> [f64; N] {
    let mut best = [f64::INFINITY; N];
    let begun = clock();
    let mut settled = 0;
    for _ in 0..MAX_ROUNDS {
        let mut better = false;
        // In turn, so that what else the machine does slows all of them.
        for (run, best) in loops.into_iter().zip(&mut best) {
            let took = time(run, &clock);
            better |= took < *best * BETTER;
            *best = best.min(took);
        }
        settled = if better { 0 } else { settled + 1 };
        if settled >= SETTLED_ROUNDS && clock() - begun >= MIN_TOTAL {
            break;
        }
    }
    best
}

/// Milliseconds that [`CALLS`] calls take.
fn time(run: Loop, clock: &impl Fn() -> f64) -> f64 {
    let vectors: [v128; SUMS] = array_from_fn(|i| i8x16_splat(i as i8 * 5 - 17));
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
        if now - start >= MIN_MEASUREMENT {
            return (now - start) / calls;
        }
    }
}

/// Relaxed dot products added to 32 bits.
#[inline(never)]
fn sums_in_32_bits(vectors: &[v128; SUMS]) -> v128 {
    let weights = i8x16_splat(3);
    let mut sums = [i32x4_splat(0); SUMS];
    for _ in 0..STEPS {
        let vectors = black_box(vectors);
        sums = array_from_fn(|i| i32x4_relaxed_dot_i8x16_i7x16_add(vectors[i], weights, sums[i]));
    }
    sums.into_iter().fold(i32x4_splat(0), |a, b| i32x4_add(a, b))
}

/// Relaxed dot products added in 16 bits.
#[inline(never)]
fn sums_in_16_bits(vectors: &[v128; SUMS]) -> v128 {
    let weights = i8x16_splat(3);
    let mut sums = [i16x8_splat(0); SUMS];
    for _ in 0..STEPS {
        let vectors = black_box(vectors);
        sums = array_from_fn(|i| {
            i16x8_add(sums[i], i16x8_relaxed_dot_i8x16_i7x16(vectors[i], weights))
        });
    }
    sums.into_iter().fold(i16x8_splat(0), |a, b| i16x8_add(a, b))
}

/// Dot products of 16-bit values: two vectors hold as many as one of bytes.
#[inline(never)]
fn wide(vectors: &[v128; SUMS]) -> v128 {
    let weights = i16x8_splat(3);
    let mut sums = [i32x4_splat(0); SUMS];
    for _ in 0..2 * STEPS {
        let vectors = black_box(vectors);
        sums = array_from_fn(|i| i32x4_add(sums[i], i32x4_dot_i16x8(vectors[i], weights)));
    }
    sums.into_iter().fold(i32x4_splat(0), |a, b| i32x4_add(a, b))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::kernel::select;

    #[test]
    fn a_coarse_clock_tells_the_faster_loop() {
        let now = Cell::new(0.0);
        // A loop takes the time that it says, which is read with a clock of whole milliseconds.
        thread_local!(static SPENT: Cell<f64> = const { Cell::new(0.0) });
        fn spend<const MICROSECONDS: u32>(vectors: &[v128; SUMS]) -> v128 {
            SPENT.set(SPENT.get() + f64::from(MICROSECONDS) / 1000.0);
            vectors[0]
        }
        let clock = || {
            now.set(now.get() + SPENT.take());
            f64::floor(now.get())
        };
        let [slow, fast, middle] = least_times([spend::<4>, spend::<2>, spend::<3>], clock);
        assert!(slow > 1.2 * middle && middle > 1.2 * fast, "{slow}, {middle} and {fast}");
    }

    #[test]
    fn weights_of_8_bits_are_decided_by_their_own_times() {
        let exact = Exact {
            narrow: vec![NarrowDot::Sums16, NarrowDot::Sums32],
            bytes: Some(ByteDot::Signed),
        };
        let chosen = |sums32, sums16, simd128| choose(&exact, || Times { sums32, sums16, simd128 });
        let relaxed = |narrow, bytes| Kind::Relaxed(RelaxedDots { narrow, bytes });
        // One instruction adds to 32 bits: it is the fastest for both.
        assert_eq!(chosen(1.0, 2.0, 4.0), relaxed(NarrowDot::Sums32, ByteDot::Signed));
        // It is several, yet fewer than simd128 takes.
        assert_eq!(chosen(3.0, 2.0, 4.0), relaxed(NarrowDot::Sums16, ByteDot::Signed));
        // The relaxed dot product is slower than simd128's for weights of 8 bits.
        assert_eq!(chosen(5.0, 2.0, 4.0), relaxed(NarrowDot::Sums16, ByteDot::Simd128));
        assert_eq!(chosen(5.0, 6.0, 4.0), relaxed(NarrowDot::Sums32, ByteDot::Simd128));
    }

    #[test]
    fn what_is_not_exact_is_not_chosen_however_fast() {
        let fast = || Times { sums32: 1.0, sums16: 1.0, simd128: 9.0 };
        let chosen =
            |narrow: &[NarrowDot], bytes| choose(&Exact { narrow: narrow.to_vec(), bytes }, fast);
        assert_eq!(chosen(&[], Some(ByteDot::Unsigned)), Kind::Simd128);
        for narrow in [NarrowDot::Sums16, NarrowDot::Sums32] {
            for bytes in [None, Some(ByteDot::Unsigned)] {
                let expected = RelaxedDots { narrow, bytes: bytes.unwrap_or(ByteDot::Simd128) };
                assert_eq!(chosen(&[narrow], bytes), Kind::Relaxed(expected));
            }
        }
    }

    #[test]
    fn all_dot_products_give_the_references_results() {
        for isa in select::available() {
            for dtype in [TensorType::Q4_0, TensorType::Q8_0, TensorType::IQ4NL] {
                assert!(is_right(isa, dtype), "{isa:?} {dtype:?}");
            }
        }
    }
}

//! Finds the fastest backend by trying, where a program cannot ask for instructions.
//!
//! A WebAssembly module does not learn whether the relaxed dot product is one
//! instruction (AVX-VNNI, NEON's dotprod) or five; the fastest kernel differs by 1.5 times.

use candle_core::quantized::GgmlDType;

use super::linear::{Input, Linear, multiply_on};
use super::{ROWS, Scratch};
use crate::kernel::backend::Backend;

/// Blocks in a row, and tokens, of the product that is timed.
const BLOCKS: usize = 32;
const TOKENS: usize = 24;
/// Products in one measurement, which has to outlast a browser's coarse clock.
const REPEATS: usize = 128;
/// Measurements; the first are taken before the engine has optimized the code.
const ROUNDS: usize = 12;

impl Backend {
    /// The backend that multiplies Q4_0 fastest, of those that give the reference's results.
    ///
    /// `clock` tells the time in any unit. Takes about 30 ms for each backend.
    pub(in crate::kernel) fn measured(clock: impl Fn() -> f64) -> Self {
        let block = |i: usize| {
            let mut block = vec![0x00, 0x3c];
            block.extend((0..16).map(|j| (i * 31 + j * 17) as u8));
            block
        };
        let raw: Vec<u8> = (0..ROWS * BLOCKS).flat_map(block).collect();
        let inputs = BLOCKS * GgmlDType::Q4_0.block_size();
        let linear = Linear::new_on(Self::SCALAR, GgmlDType::Q4_0, &raw, ROWS, inputs);
        let x: Vec<f32> = (0..TOKENS * inputs).map(|i| (i % 101) as f32 - 50.0).collect();
        let time = |backend: Self| {
            let input = Input::new(backend, &[&linear], &x);
            let mut sums = vec![[0.0; ROWS]; TOKENS];
            let mut scratch = Scratch::default();
            let mut best = f64::INFINITY;
            for _ in 0..ROUNDS {
                let start = clock();
                for _ in 0..REPEATS {
                    linear.multiply_panel(backend, 0, &input, &mut scratch, &mut sums);
                }
                best = best.min(clock() - start);
            }
            (best, sums)
        };
        let [expected] = multiply_on(Self::SCALAR, [&linear], &x);
        let right = |sums: &[[f32; ROWS]]| sums.as_flattened() == expected;
        let tried = Self::available().into_iter().filter(|backend| *backend != Self::SCALAR);
        let tried = tried.map(|backend| (backend, time(backend)));
        let right = tried.filter(|(_, (_, sums))| right(sums));
        let fastest = right.min_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b));
        fastest.map_or(Self::SCALAR, |(backend, _)| backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_vector_backend_where_there_is_one() {
        let start = std::time::Instant::now();
        let found = Backend::measured(|| start.elapsed().as_secs_f64());
        assert_eq!(found == Backend::SCALAR, Backend::available().len() == 1);
    }
}

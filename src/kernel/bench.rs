//! The kernels, open to benches/kernel.rs.

use std::hint::black_box;

pub use super::attention::{Heads, KeysValues, Query, attention};
pub use super::backend::Backend;
use super::backend::Work;
use super::lanes::{LANES, Lanes, each};
pub use super::matmul::bench::{Product, integers, integers_in_a_step};
pub use super::norm::rms_norm;
pub use super::rope::Rope;

/// gate ← silu(gate) · up
pub fn silu_mul(gate: &mut [f32], up: &[f32]) {
    super::activation::silu_mul(gate, up);
}

/// Vectors of sums in a step of [`floats`].
const SUMS: usize = 6;
/// Multiply-adds in a step of [`floats`].
pub const FLOATS_IN_A_STEP: usize = SUMS * LANES;

/// Multiplies and adds floats as attention does, unfused, on registers: its limit.
pub fn floats(backend: Backend, steps: usize) {
    backend.run(Floats { steps });
}

struct Floats {
    steps: usize,
}

impl Work for Floats {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        // SAFETY: `Backend::run` sees to the instructions of its lanes.
        #[allow(unsafe_code)]
        unsafe {
            let (a, b) = (L::splat(black_box(1.0)), L::splat(black_box(0.5)));
            let mut sums: [L; SUMS] = [L::splat(0.0); SUMS];
            for _ in 0..self.steps {
                sums = each(|i| sums[i].plus_product(sums[(i + 1) % SUMS], b));
            }
            let mut values = [0.0; LANES];
            sums.iter().fold(a, |sum, part| sum.plus_product(*part, b)).store(&mut values);
            black_box(values);
        }
    }
}

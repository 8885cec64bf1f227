//! The kernels, public for benches/kernel.rs.

use std::hint::black_box;

pub use super::attention::{AttentionShape, KeysValues, TokenPosition, attention};
pub use super::isa::Isa;
use super::isa::SimdTask;
use super::lanes::{LANES, Lanes, array_from_fn};
pub use super::matmul::bench::{Product, integers, integers_in_a_step};
pub use super::norm::rms_norm;
pub use super::rope::{Rope, RopeFrequencies};
pub use super::select::available as available_isas;

/// gate ← silu(gate) · up
pub fn silu_mul(gate: &mut [f32], up: &[f32]) {
    super::silu::silu_mul(gate, up);
}

/// Vectors of sums in a step of [`floats`].
const SUMS: usize = 6;
/// Multiply-adds in a step of [`floats`].
pub const FLOATS_IN_A_STEP: usize = SUMS * LANES;

/// Multiplies and adds floats in registers, unfused as attention does: the upper limit of its speed.
pub fn floats(isa: Isa, steps: usize) {
    isa.run(FloatsTask { steps });
}

/// [`floats`].
struct FloatsTask {
    steps: usize,
}

impl SimdTask for FloatsTask {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        // SAFETY: `Isa::run` chose L for instructions that the processor has.
        #[allow(unsafe_code)]
        unsafe {
            let (a, b) = (L::splat(black_box(1.0)), L::splat(black_box(0.5)));
            let mut sums: [L; SUMS] = [L::splat(0.0); SUMS];
            for _ in 0..self.steps {
                sums = array_from_fn(|i| sums[i].plus_product(sums[(i + 1) % SUMS], b));
            }
            let mut values = [0.0; LANES];
            sums.iter().fold(a, |sum, part| sum.plus_product(*part, b)).store(&mut values);
            black_box(values);
        }
    }
}

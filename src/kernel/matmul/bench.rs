//! The matrix product on one instruction set and the upper limit of its speed, public for
//! benches/kernel.rs.

use super::linear::Linear;
use super::multiply::multiply_on;
use crate::gguf::TensorType;
use crate::kernel::isa::Isa;
use crate::kernel::threads::on_threads;

/// A matrix, multiplied on one instruction set.
pub struct Product {
    matrix: Linear,
    isa: Isa,
}

impl Product {
    /// Packs a matrix `[outputs, inputs]` from a file's blocks.
    pub fn new(dtype: TensorType, raw: &[u8], shape: [usize; 2], isa: Isa) -> Self {
        Self { matrix: Linear::new(dtype, raw, shape[0], shape[1]), isa }
    }

    /// x · Wᵀ: `[tokens, inputs]` to `[tokens, outputs]`.
    pub fn run(&self, x: &[f32]) -> Vec<f32> {
        let [y] = on_threads(|| multiply_on(self.isa, [&self.matrix], x));
        y
    }
}

/// Multiply-adds of the integer products in one step of [`integers`]; none for the scalar kernel.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
pub fn integers_in_a_step(isa: Isa) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return x86_64::instructions(isa).map(|(bytes, _)| bytes * x86_64::SUMS);
    #[cfg(not(target_arch = "x86_64"))]
    None
}

/// Runs the instruction for integer products in registers: the upper limit of the kernel's speed.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
pub fn integers(isa: Isa, steps: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some((_, run)) = x86_64::instructions(isa) {
        // SAFETY: a value of `Isa` is proof that the processor has the instructions.
        #[allow(unsafe_code)]
        unsafe {
            run(steps);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    #![allow(unsafe_code)]

    use std::arch::x86_64::*;
    use std::hint::black_box;

    use crate::kernel::isa::{Isa, Kind};
    use crate::kernel::lanes::array_from_fn;

    /// Independent sums, so that an instruction's latency does not count.
    pub const SUMS: usize = 12;

    /// Bytes that an instruction set's instruction multiplies, and a loop of it.
    pub fn instructions(isa: Isa) -> Option<(usize, unsafe fn(usize))> {
        match isa.kind() {
            Kind::Scalar => None,
            Kind::Avx2 => Some((32, avx2 as unsafe fn(usize))),
            Kind::AvxVnni => Some((32, avx_vnni as unsafe fn(usize))),
            Kind::Avx512Vnni256 => Some((32, avx512_vnni_256 as unsafe fn(usize))),
            Kind::Avx512Vnni => Some((64, avx512_vnni as unsafe fn(usize))),
        }
    }

    macro_rules! limit {
        ($name:ident, $features:literal, $splat:path, |$sum:ident, $a:ident, $b:pat_param| $product:expr) => {
            #[target_feature(enable = $features)]
            fn $name(steps: usize) {
                let $a = black_box($splat(0x0102_0304));
                let $b = black_box($splat(0x0506_0708));
                let mut sums = [$splat(0); SUMS];
                for _ in 0..steps {
                    sums = array_from_fn(|i| {
                        let $sum = sums[i];
                        $product
                    });
                }
                black_box(sums);
            }
        };
    }

    // The instruction does not add to a sum, so that an addition follows.
    limit!(avx2, "avx2", _mm256_set1_epi32, |sum, a, _| {
        _mm256_add_epi16(sum, _mm256_maddubs_epi16(a, sum))
    });
    limit!(avx_vnni, "avx2,avxvnni", _mm256_set1_epi32, |sum, a, b| {
        _mm256_dpbusd_avx_epi32(sum, a, b)
    });
    limit!(avx512_vnni_256, "avx512vl,avx512vnni", _mm256_set1_epi32, |sum, a, b| {
        _mm256_dpbusd_epi32(sum, a, b)
    });
    limit!(avx512_vnni, "avx512f,avx512vnni", _mm512_set1_epi32, |sum, a, b| {
        _mm512_dpbusd_epi32(sum, a, b)
    });
}

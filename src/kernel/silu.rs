//! SiLU, the activation function of SwiGLU.

use super::exp::exp;
use super::isa::SimdTask;
use super::lanes::Lanes;
use super::select;
use super::threads::for_each_chunk;

/// Values that one task takes.
const CHUNK: usize = 1 << 12;

/// x / (1 + e⁻ˣ)
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// gate ← silu(gate) · up; both `[tokens, ffn]`.
pub(super) fn silu_mul(gate: &mut [f32], up: &[f32]) {
    assert_eq!(gate.len(), up.len());
    let isa = select::best();
    for_each_chunk(gate, CHUNK, |index, gate| {
        let up = &up[index * CHUNK..][..gate.len()];
        isa.run(SiluMulTask { gate, up });
    });
}

/// [`silu_mul`] of a chunk.
struct SiluMulTask<'a> {
    gate: &'a mut [f32],
    up: &'a [f32],
}

impl SimdTask for SiluMulTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (gate, up) in self.gate.iter_mut().zip(self.up) {
            *gate = silu(*gate) * up;
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn silu_mul_of_known_values() {
        let mut gate = vec![0.0, 1.0, -1.0, 100.0, -100.0];
        super::silu_mul(&mut gate, &[2.0, 2.0, 2.0, 2.0, 2.0]);
        let expected = [0.0, 1.462_117_2, -0.537_882_8, 200.0, 0.0];
        for (value, expected) in gate.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
        }
    }
}

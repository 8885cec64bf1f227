//! Rotary position embedding (Su et al., 2021), NeoX style: value i of a head
//! is paired with value i + head_dim/2.

use super::isa::{Isa, SimdTask};
use super::lanes::Lanes;
use super::select;
use super::threads::for_each_chunk;

/// Rows that one task takes.
const ROWS: usize = 16;

/// Sines and cosines for consecutive positions, with all angles in f32 as in the reference.
pub struct Rope {
    first: usize,
    half: usize,
    /// By position the cosines, then the sines, of all frequencies: `[positions, 2, head_dim / 2]`.
    table: Vec<f32>,
}

impl Rope {
    /// Tables for `positions`; the angle of frequency i is position · theta^(−2i / head_dim).
    pub fn new(positions: std::ops::Range<usize>, head_dim: usize, theta: f64) -> Self {
        let half = head_dim / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|i| libm::pow(theta, -2.0 * i as f64 / head_dim as f64) as f32).collect();
        let angle = |position: usize, frequency: &f32| f64::from(position as f32 * frequency);
        let mut table = vec![0.0; positions.len() * 2 * half];
        for_each_chunk(&mut table, 2 * half, |index, entry| {
            let (cosines, sines) = entry.split_at_mut(half);
            for ((cos, sin), frequency) in cosines.iter_mut().zip(sines).zip(&frequencies) {
                let angle = angle(positions.start + index, frequency);
                (*cos, *sin) = (libm::cos(angle) as f32, libm::sin(angle) as f32);
            }
        });
        Self { first: positions.start, half, table }
    }

    /// Rotates every head of `data` `[tokens, heads, head_dim]`; `position` gives the position of each
    /// token, which must lie within the tables.
    pub fn apply(&self, data: &mut [f32], heads: usize, position: impl Fn(usize) -> usize + Sync) {
        self.apply_on(select::best(), data, heads, position);
    }

    fn apply_on(
        &self,
        isa: Isa,
        data: &mut [f32],
        heads: usize,
        position: impl Fn(usize) -> usize + Sync,
    ) {
        let width = heads * self.half * 2;
        assert_eq!(data.len() % width, 0);
        for_each_chunk(data, ROWS * width, |chunk, rows| {
            for (row, token) in rows.chunks_exact_mut(width).enumerate() {
                let start = (position(chunk * ROWS + row) - self.first) * 2 * self.half;
                isa.run(RotateTask { token, angles: &self.table[start..start + 2 * self.half] });
            }
        });
    }
}

/// Rotates all heads of a token by its cosines and sines.
struct RotateTask<'a> {
    token: &'a mut [f32],
    angles: &'a [f32],
}

impl SimdTask for RotateTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let half = self.angles.len() / 2;
        let (cosines, sines) = self.angles.split_at(half);
        for head in self.token.chunks_exact_mut(2 * half) {
            let (left, right) = head.split_at_mut(half);
            for i in 0..half {
                let (x, y) = (left[i], right[i]);
                left[i] = x * cosines[i] - y * sines[i];
                right[i] = y * cosines[i] + x * sines[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_isa_gives_the_same_bits() {
        let sizes: &[usize] = if cfg!(miri) { &[6] } else { &[2, 6, 32, 128] };
        for &head_dim in sizes {
            let rope = Rope::new(3..40, head_dim, 1e6);
            let data: Vec<f32> =
                (0..37 * 3 * head_dim).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
            let on = |isa| {
                let mut data = data.clone();
                rope.apply_on(isa, &mut data, 3, |token| 3 + token);
                data.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            for isa in select::available() {
                assert_eq!(on(isa), on(Isa::SCALAR), "{isa:?}, {head_dim}");
            }
        }
    }

    #[test]
    fn turns_pairs_by_position_times_frequency() {
        let rope = Rope::new(5..8, 4, 100.0);
        let mut data = vec![1.0, 1.0, 0.0, 0.0];
        rope.apply(&mut data, 1, |_| 7);
        let expected = [7.0_f32.cos(), 0.7_f32.cos(), 7.0_f32.sin(), 0.7_f32.sin()];
        for (value, expected) in data.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn angles_stay_exact_at_high_positions() {
        // In f16, 8001 would be rounded to 8000: wrong by a whole radian.
        let rope = Rope::new(8001..8002, 2, 1e6);
        let mut data = vec![1.0, 0.0];
        rope.apply(&mut data, 1, |_| 8001);
        assert!((f64::from(data[0]) - 8001_f64.cos()).abs() < 1e-6);
    }
}

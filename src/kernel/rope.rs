//! Rotary position embedding (Su et al., 2021), NeoX style: value i of a head
//! is paired with value i + head_dim/2.

use super::isa::{Isa, SimdTask};
use super::lanes::Lanes;
use super::select;
use super::threads::for_each_chunk;

/// Rows that one task takes.
const ROWS: usize = 16;

/// How fast each pair of values turns from position to position, and what attention scores gain.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeFrequencies {
    /// Radians per position of each pair, `[head_dim / 2]`.
    radians: Vec<f32>,
    /// Factor to sines and cosines.
    gain: f32,
}

impl RopeFrequencies {
    /// Those of the original paper: theta^(−2i / head_dim) for pair i.
    pub fn new(head_dim: usize, theta: f64) -> Self {
        let radians = |i| libm::pow(theta, -2.0 * i as f64 / head_dim as f64) as f32;
        Self { radians: (0..head_dim / 2).map(radians).collect(), gain: 1.0 }
    }

    /// Each divided by a factor: position interpolation (Chen et al., 2023).
    pub fn linear(head_dim: usize, theta: f64, factor: f64) -> Self {
        let mut frequencies = Self::new(head_dim, theta);
        frequencies.radians.iter_mut().for_each(|radians| *radians /= factor as f32);
        frequencies
    }

    /// YaRN (Peng et al., 2023), as `_compute_yarn_parameters` of transformers computes it.
    pub fn yarn(head_dim: usize, theta: f64, yarn: &Yarn) -> Self {
        let ramp = yarn.ramp(head_dim, theta);
        let mut frequencies = Self::new(head_dim, theta);
        for (i, radians) in frequencies.radians.iter_mut().enumerate() {
            let (whole, divided) = (f64::from(*radians), f64::from(*radians) / yarn.factor);
            *radians = (divided * ramp(i) + whole * (1.0 - ramp(i))) as f32;
        }
        frequencies.gain = yarn.gain as f32;
        frequencies
    }
}

/// What YaRN is given beside the model's own frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yarn {
    /// How many times longer texts become than those of the training.
    pub factor: f64,
    /// Positions of the training.
    pub original_positions: usize,
    /// Pairs that turn at least so often within those positions keep their frequencies.
    pub beta_fast: f64,
    /// Pairs that turn at most so often have them divided by `factor`.
    pub beta_slow: f64,
    /// Factor to sines and cosines.
    pub gain: f64,
}

impl Yarn {
    /// How far pair i is on the way from its own frequency (0) to the divided one (1).
    fn ramp(&self, head_dim: usize, theta: f64) -> impl Fn(usize) -> f64 {
        // The pair, not rounded, that turns so often within the original positions.
        let pair = |turns: f64| {
            let radians = turns * std::f64::consts::TAU / self.original_positions as f64;
            head_dim as f64 * -libm::log(radians) / (2.0 * libm::log(theta))
        };
        let low = pair(self.beta_fast).floor().max(0.0);
        let high = pair(self.beta_slow).ceil().min(head_dim as f64 - 1.0);
        let width = if low == high { 0.001 } else { high - low };
        move |i| ((i as f64 - low) / width).clamp(0.0, 1.0)
    }
}

/// Sines and cosines for consecutive positions, with all angles in f32 as in the reference.
pub struct Rope {
    first: usize,
    half: usize,
    /// By position the cosines, then the sines, of all frequencies: `[positions, 2, head_dim / 2]`.
    table: Vec<f32>,
}

impl Rope {
    /// Tables for `positions`; the angle of a pair is its frequency times the position.
    pub fn new(positions: std::ops::Range<usize>, frequencies: &RopeFrequencies) -> Self {
        let RopeFrequencies { radians, gain } = frequencies;
        let half = radians.len();
        let angle = |position: usize, radians: &f32| f64::from(position as f32 * radians);
        let mut table = vec![0.0; positions.len() * 2 * half];
        for_each_chunk(&mut table, 2 * half, |index, entry| {
            let (cosines, sines) = entry.split_at_mut(half);
            for ((cos, sin), radians) in cosines.iter_mut().zip(sines).zip(radians) {
                let angle = angle(positions.start + index, radians);
                (*cos, *sin) = (libm::cos(angle) as f32 * gain, libm::sin(angle) as f32 * gain);
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
            let rope = Rope::new(3..40, &RopeFrequencies::new(head_dim, 1e6));
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
        let rope = Rope::new(5..8, &RopeFrequencies::new(4, 100.0));
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
        let rope = Rope::new(8001..8002, &RopeFrequencies::new(2, 1e6));
        let mut data = vec![1.0, 0.0];
        rope.apply(&mut data, 1, |_| 8001);
        assert!((f64::from(data[0]) - 8001_f64.cos()).abs() < 1e-6);
    }

    #[test]
    fn linear_scaling_turns_as_far_at_a_position_as_without_at_its_part() {
        let rope = Rope::new(8..9, &RopeFrequencies::linear(4, 100.0, 4.0));
        let mut data = vec![1.0, 1.0, 0.0, 0.0];
        rope.apply(&mut data, 1, |_| 8);
        let expected = [2.0_f32.cos(), 0.2_f32.cos(), 2.0_f32.sin(), 0.2_f32.sin()];
        for (value, expected) in data.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6);
        }
    }

    /// The paper's own words, eqs. 17 to 23 and section 3.3: by wavelengths, not by pairs.
    #[test]
    fn yarn_keeps_short_waves_and_stretches_long_ones() {
        let (head_dim, theta, original_positions) = (128, 1e6, 32768);
        let yarn =
            Yarn { factor: 4.0, original_positions, beta_fast: 32.0, beta_slow: 1.0, gain: 1.25 };
        let plain = RopeFrequencies::new(head_dim, theta);
        let scaled = RopeFrequencies::yarn(head_dim, theta, &yarn);
        assert_eq!((plain.gain, scaled.gain), (1.0, 1.25));
        let mut between = 0;
        for (radians, scaled) in plain.radians.iter().zip(&scaled.radians) {
            let turns = original_positions as f32 * radians / std::f32::consts::TAU;
            // The bounds lie on whole pairs, one pair further out: a factor of 1e6^(1/64) = 1.24.
            if turns > 32.0 * 1.25 {
                assert_eq!(scaled, radians);
            } else if turns < 1.0 / 1.25 {
                assert!((scaled * 4.0 / radians - 1.0).abs() < 1e-6);
            } else {
                assert!(*scaled <= *radians && *scaled >= radians / 4.0);
                between += usize::from(scaled != radians && scaled * 4.0 != *radians);
            }
        }
        // log(32) / log(1e6^(1/64)) pairs lie between the bounds.
        assert!((14..=18).contains(&between), "{between}");
    }

    #[test]
    fn yarn_of_factor_1_changes_nothing() {
        let plain = RopeFrequencies::new(64, 1e4);
        let yarn = Yarn {
            factor: 1.0,
            original_positions: 100,
            beta_fast: 32.0,
            beta_slow: 1.0,
            gain: 1.0,
        };
        assert_eq!(RopeFrequencies::yarn(64, 1e4, &yarn), plain);
    }
}

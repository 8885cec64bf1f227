//! Rotary position embedding (Su et al., 2021), NeoX style: value i of a head
//! is paired with value i + head_dim/2.

use super::for_each_chunk;

/// Rows that one task takes.
const ROWS: usize = 16;

/// Sines and cosines for a run of positions, with all angles in f32 as in the reference.
pub struct Rope {
    first: usize,
    half: usize,
    /// (cos, sin) by position and frequency: `[positions, head_dim / 2]`.
    table: Vec<(f32, f32)>,
}

impl Rope {
    /// Tables for `positions`; the angle of frequency i is position · theta^(−2i / head_dim).
    pub fn new(positions: std::ops::Range<usize>, head_dim: usize, theta: f64) -> Self {
        let half = head_dim / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|i| libm::pow(theta, -2.0 * i as f64 / head_dim as f64) as f32).collect();
        let entry = |angle: f32| (libm::cos(angle.into()) as f32, libm::sin(angle.into()) as f32);
        let table = positions
            .clone()
            .flat_map(|position| frequencies.iter().map(move |f| entry(position as f32 * f)))
            .collect();
        Self { first: positions.start, half, table }
    }

    /// Turns every head of `data` `[tokens, heads, head_dim]`; `position` gives
    /// each token's, which must lie within the tables.
    pub fn apply(&self, data: &mut [f32], heads: usize, position: impl Fn(usize) -> usize + Sync) {
        let width = heads * self.half * 2;
        assert_eq!(data.len() % width, 0);
        for_each_chunk(data, ROWS * width, |chunk, rows| {
            for (row, token) in rows.chunks_exact_mut(width).enumerate() {
                let start = (position(chunk * ROWS + row) - self.first) * self.half;
                let angles = &self.table[start..start + self.half];
                token.chunks_exact_mut(self.half * 2).for_each(|head| turn(head, angles));
            }
        });
    }
}

fn turn(head: &mut [f32], angles: &[(f32, f32)]) {
    let (left, right) = head.split_at_mut(angles.len());
    for ((x, y), (cos, sin)) in left.iter_mut().zip(right).zip(angles) {
        (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
    }
}

#[cfg(test)]
mod tests {
    use super::Rope;

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
        // In f16, 8001 would round to 8000: a whole radian off.
        let rope = Rope::new(8001..8002, 2, 1e6);
        let mut data = vec![1.0, 0.0];
        rope.apply(&mut data, 1, |_| 8001);
        assert!((f64::from(data[0]) - 8001_f64.cos()).abs() < 1e-6);
    }
}

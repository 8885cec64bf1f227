//! Root-mean-square normalisation.

use super::isa::{Isa, SimdTask};
use super::lanes::{LANES, Lanes};
use super::select;
use super::threads::for_each_chunk;

/// Rows that one task takes.
const ROWS: usize = 16;

/// Each row x of `data` `[rows, width]` becomes x / √(mean(x²) + eps) · weight,
/// with weight `[width]` (Zhang and Sennrich, 2019).
pub fn rms_norm(data: &mut [f32], weight: &[f32], eps: f32) {
    rms_norm_on(select::best(), data, weight, eps);
}

/// [`rms_norm`] with an instruction set of this machine.
fn rms_norm_on(isa: Isa, data: &mut [f32], weight: &[f32], eps: f32) {
    let width = weight.len();
    assert_eq!(data.len() % width, 0);
    for_each_chunk(data, ROWS * width, |_, rows| isa.run(NormTask { rows, weight, eps }));
}

/// [`rms_norm`] of `data`, written to `normed`.
pub fn rms_norm_into(data: &[f32], weight: &[f32], eps: f32, normed: &mut [f32]) {
    let width = weight.len();
    assert_eq!(data.len() % width, 0);
    assert_eq!(data.len(), normed.len());
    let isa = select::best();
    for_each_chunk(normed, ROWS * width, |index, rows| {
        rows.copy_from_slice(&data[index * ROWS * width..][..rows.len()]);
        isa.run(NormTask { rows, weight, eps });
    });
}

/// Norms some rows.
struct NormTask<'a> {
    rows: &'a mut [f32],
    weight: &'a [f32],
    eps: f32,
}

impl SimdTask for NormTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let width = self.weight.len();
        for row in self.rows.chunks_exact_mut(width) {
            let scale = 1.0 / (sum_of_squares(row) / width as f32 + self.eps).sqrt();
            for (value, weight) in row.iter_mut().zip(self.weight) {
                *value = *value * scale * weight;
            }
        }
    }
}

/// Σ x². Sums each lane by itself, so that the compiler can use vectors: float addition is not
/// associative, and the compiler does not reorder a plain sum.
#[inline(always)]
fn sum_of_squares(row: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += chunk[lane] * chunk[lane];
        }
    }
    let rest: f32 = rest.iter().map(|value| value * value).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_isa_gives_the_same_bits() {
        let widths: &[usize] = if cfg!(miri) { &[15, 33] } else { &[1, 15, 16, 64, 131, 1024] };
        for &width in widths {
            let weight: Vec<f32> = (0..width).map(|i| 1.0 + (i % 9) as f32 / 8.0).collect();
            let data: Vec<f32> = (0..19 * width).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
            let on = |isa| {
                let mut data = data.clone();
                rms_norm_on(isa, &mut data, &weight, 1e-6);
                data.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            for isa in select::available() {
                assert_eq!(on(isa), on(Isa::SCALAR), "{isa:?}, {width}");
            }
        }
    }

    #[test]
    fn rows_have_unit_mean_square_times_weight() {
        for width in [2, 15, 16, 17, 131] {
            let weight: Vec<f32> = (0..width).map(|i| 1.0 + i as f32 / 8.0).collect();
            let row: Vec<f32> = (0..width).map(|i| (i % 7) as f32 - 2.0).collect();
            let mut data = [row.clone(), vec![0.0; width]].concat();
            rms_norm(&mut data, &weight, 1e-6);
            let rms = (row.iter().map(|x| x * x).sum::<f32>() / width as f32).sqrt();
            for ((value, x), weight) in data.iter().zip(&row).zip(&weight) {
                assert!((value - x / rms * weight).abs() < 1e-4, "{width}");
            }
            assert!(data[width..].iter().all(|value| *value == 0.0));
        }
    }
}

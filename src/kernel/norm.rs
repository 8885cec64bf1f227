//! Root-mean-square normalisation.

use super::{dot, for_each_chunk};

/// Rows that one task takes.
const ROWS: usize = 16;

/// Each row x of `data` `[rows, width]` becomes x / √(mean(x²) + eps) · weight,
/// with weight `[width]` (Zhang and Sennrich, 2019).
pub fn rms_norm(data: &mut [f32], weight: &[f32], eps: f32) {
    let width = weight.len();
    assert_eq!(data.len() % width, 0);
    for_each_chunk(data, ROWS * width, |_, rows| {
        for row in rows.chunks_exact_mut(width) {
            let scale = 1.0 / (dot(row, row) / width as f32 + eps).sqrt();
            for (value, weight) in row.iter_mut().zip(weight) {
                *value = *value * scale * weight;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_have_unit_mean_square_times_weight() {
        let mut data = vec![3.0, 4.0, 0.0, 0.0];
        super::rms_norm(&mut data, &[1.0, 2.0], 1e-6);
        let rms = 12.5_f32.sqrt();
        assert!((data[0] - 3.0 / rms).abs() < 1e-6 && (data[1] - 8.0 / rms).abs() < 1e-6);
        assert_eq!(data[2..], [0.0, 0.0]);
    }
}

//! The types IQ4_NL and IQ4_XS, whose values of 4 bits are indices into a table of 16 weights.
//!
//! Formats: `block_iq4_nl` and `block_iq4_xs` in ggml-common.h, `dequantize_row_iq4_*` in
//! <https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c>

use super::float16::f16_to_f32;

/// The weight of each index (`kvalues_iq4nl`).
pub(crate) const IQ4_VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Values in a block of IQ4_NL, and bytes: scale (f16), indices.
pub(super) const NL_BLOCK: (usize, usize) = (32, 2 + 16);
/// Values in a block of IQ4_XS, and bytes: scale (f16), upper 2 bits of the sub-blocks' scales, lower
/// 4 bits of them, indices.
pub(super) const XS_BLOCK: (usize, usize) = (256, 2 + 2 + 4 + 128);

/// The values of a block of IQ4_NL: value · scale.
pub(super) fn dequantize_nl(block: &[u8], out: &mut Vec<f32>) {
    dequantize_32(half(block, 0), &block[2..], out);
}

/// The values of a block of IQ4_XS: value · (scale · (sub-block's scale − 32)).
pub(super) fn dequantize_xs(block: &[u8], out: &mut Vec<f32>) {
    let scale = half(block, 0);
    let upper = u16::from_le_bytes([block[2], block[3]]);
    for (index, indices) in block[8..].chunks_exact(16).enumerate() {
        let lower = block[4 + index / 2] >> (index % 2 * 4) & 15;
        let sub_scale = i16::from(lower) | ((upper >> (2 * index) & 3) << 4) as i16;
        dequantize_32(scale * f32::from(sub_scale - 32), indices, out);
    }
}

/// 32 values: the low indices of 16 bytes, then the high ones.
fn dequantize_32(scale: f32, indices: &[u8], out: &mut Vec<f32>) {
    let value = |index: u8| scale * f32::from(IQ4_VALUES[usize::from(index)]);
    out.extend(indices.iter().map(|byte| value(byte & 15)));
    out.extend(indices.iter().map(|byte| value(byte >> 4)));
}

/// The f16 at a place.
fn half(block: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[at], block[at + 1]]))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::gguf::TensorType;

    /// Written by tests/fixtures/iq4.py with the decoder of the Python package gguf.
    const FIXTURE: &str = include_str!("../../tests/fixtures/iq4.json");

    #[test]
    fn values_are_those_of_the_python_package_gguf_to_the_bit() {
        let fixture: serde_json::Value = serde_json::from_str(FIXTURE).expect("JSON");
        for dtype in [TensorType::IQ4NL, TensorType::IQ4XS] {
            let list = |field: &str| fixture[dtype.name()][field].as_array().expect("a list");
            let blocks: Vec<u8> =
                list("blocks").iter().map(|byte| byte.as_u64().expect("a byte") as u8).collect();
            let expected: Vec<f32> = list("values")
                .iter()
                .map(|value| value.as_f64().expect("a number") as f32)
                .collect();
            let values = dtype.dequantize(&blocks).expect("whole blocks");
            assert_eq!(values, expected, "{dtype:?}");
            assert!(dtype.are_finite(&blocks));
        }
    }

    #[test]
    fn a_scale_that_is_not_finite_is_found() {
        for dtype in [TensorType::IQ4NL, TensorType::IQ4XS] {
            let mut blocks = vec![0; 2 * dtype.block_bytes()];
            blocks[dtype.block_bytes()..][..2].copy_from_slice(&[0x00, 0x7c]);
            assert!(!dtype.are_finite(&blocks), "{dtype:?}");
        }
    }

    #[test]
    fn they_are_read_but_not_written() {
        let error = TensorType::IQ4NL.quantize(vec![0.0; 32], 32).expect_err("no quantizer");
        assert!(error.to_string().contains("IQ4_NL"), "{error}");
    }
}

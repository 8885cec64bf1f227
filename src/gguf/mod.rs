//! GGUF files: an untrusting reader of their header, and a streaming writer.
//!
//! candle has a reader too, but it allocates what a file's counts and lengths
//! claim, which aborts on a corrupt file; here each is held against the file's
//! size first. Matrices are packed by `kernel`; the rest becomes candle's quantized types.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

mod reader;
mod value;
mod writer;

pub use reader::{Reader, TensorInfo};
pub use value::{Metadata, Value};
pub use writer::{TensorPlan, Writer};

use candle_core::quantized::GgmlDType;

/// Where tensor data starts is a multiple of this, unless `general.alignment` says otherwise.
pub const DEFAULT_ALIGNMENT: u64 = 32;

/// Whether no value of a tensor's blocks is infinite or not a number. A block's integers never are,
/// so that of quantized types the scales are looked at, by their places in ggml-common.h's blocks.
pub fn are_finite(dtype: GgmlDType, blocks: &[u8]) -> bool {
    // An exponent of ones.
    let half = |at: &[u8; 2]| u16::from_le_bytes(*at) & 0x7c00 != 0x7c00;
    let scales: &[usize] = match dtype {
        GgmlDType::F32 => {
            let (values, _) = blocks.as_chunks();
            return values.iter().all(|value| f32::from_le_bytes(*value).is_finite());
        }
        GgmlDType::F16 => return blocks.as_chunks().0.iter().all(half),
        GgmlDType::BF16 => {
            let exponent = |at: &[u8; 2]| u16::from_le_bytes(*at) & 0x7f80;
            return blocks.as_chunks().0.iter().all(|value| exponent(value) != 0x7f80);
        }
        GgmlDType::Q4_0 | GgmlDType::Q5_0 | GgmlDType::Q8_0 => &[0],
        GgmlDType::Q4_1 | GgmlDType::Q5_1 | GgmlDType::Q4K | GgmlDType::Q5K => &[0, 2],
        GgmlDType::Q2K => &[80, 82],
        GgmlDType::Q3K => &[108],
        GgmlDType::Q6K => &[208],
        GgmlDType::Q8_1 | GgmlDType::Q8K => unreachable!("no file has it: bug"),
    };
    let finite = |block: &[u8]| scales.iter().all(|&at| block[at..].first_chunk().is_none_or(half));
    blocks.chunks_exact(dtype.type_size()).all(finite)
}

/// The number for a type in GGUF files (`enum ggml_type` in ggml.h).
pub fn type_id(dtype: GgmlDType) -> u32 {
    match dtype {
        GgmlDType::F32 => 0,
        GgmlDType::F16 => 1,
        GgmlDType::Q4_0 => 2,
        GgmlDType::Q4_1 => 3,
        GgmlDType::Q5_0 => 6,
        GgmlDType::Q5_1 => 7,
        GgmlDType::Q8_0 => 8,
        GgmlDType::Q8_1 => 9,
        GgmlDType::Q2K => 10,
        GgmlDType::Q3K => 11,
        GgmlDType::Q4K => 12,
        GgmlDType::Q5K => 13,
        GgmlDType::Q6K => 14,
        GgmlDType::Q8K => 15,
        GgmlDType::BF16 => 30,
    }
}

/// The type of a number in GGUF files, if it is one that this crate reads.
pub fn type_from_id(id: u32) -> Option<GgmlDType> {
    use GgmlDType::*;
    [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K]
        .into_iter()
        .find(|&dtype| type_id(dtype) == id)
}

/// The usual name of a type, such as `Q4_K`.
pub fn type_name(dtype: GgmlDType) -> &'static str {
    match dtype {
        GgmlDType::F32 => "F32",
        GgmlDType::F16 => "F16",
        GgmlDType::BF16 => "BF16",
        GgmlDType::Q4_0 => "Q4_0",
        GgmlDType::Q4_1 => "Q4_1",
        GgmlDType::Q5_0 => "Q5_0",
        GgmlDType::Q5_1 => "Q5_1",
        GgmlDType::Q8_0 => "Q8_0",
        GgmlDType::Q8_1 => "Q8_1",
        GgmlDType::Q2K => "Q2_K",
        GgmlDType::Q3K => "Q3_K",
        GgmlDType::Q4K => "Q4_K",
        GgmlDType::Q5K => "Q5_K",
        GgmlDType::Q6K => "Q6_K",
        GgmlDType::Q8K => "Q8_K",
    }
}

/// The name of a type number that this crate does not read, for error messages.
fn unsupported_type_name(id: u32) -> String {
    let name = match id {
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("number {id}"),
    };
    name.to_string()
}

//! How tensors store their values: the types of GGUF files that this crate reads.

use std::borrow::Cow;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// How a tensor's values are stored (`enum ggml_type` in ggml.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // The variants are ggml's own names.
pub enum TensorType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

impl TensorType {
    /// All types, floats first.
    pub const ALL: [Self; 13] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// The number for this type in GGUF files.
    pub fn id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q2K => 10,
            Self::Q3K => 11,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::BF16 => 30,
        }
    }

    /// The type of a number in GGUF files, if it is one that this crate reads.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.id() == id)
    }

    /// The usual name, such as `Q4_K`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Values in a block: 1 for floats, 32, or 256 for K types.
    pub fn block_size(self) -> usize {
        self.candle().block_size()
    }

    /// Bytes that a block takes.
    pub fn block_bytes(self) -> usize {
        self.candle().type_size()
    }

    /// candle's name for it.
    fn candle(self) -> GgmlDType {
        match self {
            Self::F32 => GgmlDType::F32,
            Self::F16 => GgmlDType::F16,
            Self::BF16 => GgmlDType::BF16,
            Self::Q4_0 => GgmlDType::Q4_0,
            Self::Q4_1 => GgmlDType::Q4_1,
            Self::Q5_0 => GgmlDType::Q5_0,
            Self::Q5_1 => GgmlDType::Q5_1,
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q2K => GgmlDType::Q2K,
            Self::Q3K => GgmlDType::Q3K,
            Self::Q4K => GgmlDType::Q4K,
            Self::Q5K => GgmlDType::Q5K,
            Self::Q6K => GgmlDType::Q6K,
        }
    }

    /// The values of whole blocks.
    ///
    /// # Errors
    /// [`Error::Tensor`] if candle fails.
    pub fn dequantize(self, blocks: &[u8]) -> Result<Vec<f32>> {
        let values = blocks.len() / self.block_bytes() * self.block_size();
        QStorage::from_data(Cow::Borrowed(blocks), &Device::Cpu, self.candle())
            .and_then(|storage| QTensor::new(storage, values)?.dequantize(&Device::Cpu)?.to_vec1())
            .map_err(Error::tensor)
    }

    /// Rows of `columns` values, rounded to whole blocks.
    ///
    /// # Errors
    /// [`Error::Tensor`] if rows are not whole blocks.
    pub fn quantize(self, values: Vec<f32>, columns: usize) -> Result<Vec<u8>> {
        let rows = values.len() / columns;
        Tensor::from_vec(values, (rows, columns), &Device::Cpu)
            .and_then(|tensor| Ok(QTensor::quantize(&tensor, self.candle())?.data()?.into_owned()))
            .map_err(Error::tensor)
    }

    /// Whether no value of a tensor's blocks is infinite or not a number. A block's integers never are,
    /// so that of quantized types the scales are looked at, by their places in ggml-common.h's blocks.
    pub fn are_finite(self, blocks: &[u8]) -> bool {
        // An exponent of ones.
        let half = |at: &[u8; 2]| u16::from_le_bytes(*at) & 0x7c00 != 0x7c00;
        let scales: &[usize] = match self {
            Self::F32 => {
                let (values, _) = blocks.as_chunks();
                return values.iter().all(|value| f32::from_le_bytes(*value).is_finite());
            }
            Self::F16 => return blocks.as_chunks().0.iter().all(half),
            Self::BF16 => {
                let exponent = |at: &[u8; 2]| u16::from_le_bytes(*at) & 0x7f80;
                return blocks.as_chunks().0.iter().all(|value| exponent(value) != 0x7f80);
            }
            Self::Q4_0 | Self::Q5_0 | Self::Q8_0 => &[0],
            Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K => &[0, 2],
            Self::Q2K => &[80, 82],
            Self::Q3K => &[108],
            Self::Q6K => &[208],
        };
        let finite =
            |block: &[u8]| scales.iter().all(|&at| block[at..].first_chunk().is_none_or(half));
        blocks.chunks_exact(self.block_bytes()).all(finite)
    }
}

/// The name of a type number that this crate does not read, for error messages.
pub(super) fn unsupported_name(id: u32) -> String {
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

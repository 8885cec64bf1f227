//! How tensors store their values: the types of GGUF files that this crate reads.

use std::borrow::Cow;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};

use super::iq4;
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
    IQ4NL,
    IQ4XS,
}

/// What decodes the blocks of a type.
enum Decoder {
    Candle(GgmlDType),
    /// Ours, where candle has none: values and bytes of a block, and what appends its values.
    Own((usize, usize), fn(&[u8], &mut Vec<f32>)),
}

impl TensorType {
    /// All types, floats first.
    pub const ALL: [Self; 15] = [
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
        Self::IQ4NL,
        Self::IQ4XS,
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
            Self::IQ4NL => 20,
            Self::IQ4XS => 23,
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
            Self::IQ4NL => "IQ4_NL",
            Self::IQ4XS => "IQ4_XS",
        }
    }

    /// Values in a block: 1 for floats, 32, or 256 for K types and IQ4_XS.
    pub fn block_size(self) -> usize {
        match self.decoder() {
            Decoder::Candle(dtype) => dtype.block_size(),
            Decoder::Own((values, _), _) => values,
        }
    }

    /// Bytes that a block takes.
    pub fn block_bytes(self) -> usize {
        match self.decoder() {
            Decoder::Candle(dtype) => dtype.type_size(),
            Decoder::Own((_, bytes), _) => bytes,
        }
    }

    /// What decodes its blocks.
    fn decoder(self) -> Decoder {
        Decoder::Candle(match self {
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
            Self::IQ4NL => return Decoder::Own(iq4::NL_BLOCK, iq4::dequantize_nl),
            Self::IQ4XS => return Decoder::Own(iq4::XS_BLOCK, iq4::dequantize_xs),
        })
    }

    /// The values of whole blocks.
    ///
    /// # Errors
    /// [`Error::Tensor`] if candle fails.
    pub fn dequantize(self, blocks: &[u8]) -> Result<Vec<f32>> {
        let count = blocks.len() / self.block_bytes() * self.block_size();
        match self.decoder() {
            Decoder::Candle(dtype) => {
                QStorage::from_data(Cow::Borrowed(blocks), &Device::Cpu, dtype)
                    .and_then(|storage| {
                        QTensor::new(storage, count)?.dequantize(&Device::Cpu)?.to_vec1()
                    })
                    .map_err(Error::tensor)
            }
            Decoder::Own((_, bytes), dequantize) => {
                let mut values = Vec::with_capacity(count);
                blocks.chunks_exact(bytes).for_each(|block| dequantize(block, &mut values));
                Ok(values)
            }
        }
    }

    /// Rows of `columns` values, rounded to whole blocks.
    ///
    /// # Errors
    /// [`Error::Tensor`] if rows are not whole blocks; [`Error::InvalidValue`] for IQ4_NL and IQ4_XS,
    /// which are only read.
    pub fn quantize(self, values: Vec<f32>, columns: usize) -> Result<Vec<u8>> {
        let rows = values.len() / columns;
        let Decoder::Candle(dtype) = self.decoder() else {
            let reason = format!("{} tensors can be read, but not written", self.name());
            return Err(Error::value("type", reason));
        };
        Tensor::from_vec(values, (rows, columns), &Device::Cpu)
            .and_then(|tensor| Ok(QTensor::quantize(&tensor, dtype)?.data()?.into_owned()))
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
            Self::Q4_0 | Self::Q5_0 | Self::Q8_0 | Self::IQ4NL | Self::IQ4XS => &[0],
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

//! How each quantized type is packed.

use crate::gguf::{IQ4_VALUES, TensorType};

/// How a quantized type is held in a panel, and how a value follows from its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantLayout {
    /// Bits of a stored value: lines in a block of a panel.
    pub bits: usize,
    /// Added to a weight so that it is not negative, as some instructions need; 0 for types with
    /// minimums, whose weights are not negative by themselves.
    pub offset: u8,
    /// Whether each 16 inputs have a scale of their own, not each 32.
    pub two_scales: bool,
    /// Whether a minimum is added to the scaled values.
    pub has_minimums: bool,
    /// Blocks of 32 values in a block of the file: 8 in types of 256, whose blocks have a small
    /// integer by sub-block that multiplies the scale.
    pub superblock: usize,
    /// Whether stored values are indices into a table of weights of 8 bits (IQ4).
    pub is_table: bool,
}

/// The weights of IQ4 by their index, with the offset of 128 added.
pub const IQ4_TABLE: [u8; 16] = {
    let mut table = [0; 16];
    let mut index = 0;
    while index < 16 {
        table[index] = (IQ4_VALUES[index] as u8) ^ 0x80;
        index += 1;
    }
    table
};

impl QuantLayout {
    /// The layout of a quantized type; none for floats.
    pub fn new(dtype: TensorType) -> Option<Self> {
        let simple = |bits, offset, has_minimums| Self {
            bits,
            offset,
            two_scales: false,
            has_minimums,
            superblock: 1,
            is_table: false,
        };
        let nested = |bits, offset, two_scales, has_minimums| Self {
            two_scales,
            superblock: 8,
            ..simple(bits, offset, has_minimums)
        };
        Some(match dtype {
            TensorType::Q4_0 => simple(4, 8, false),
            TensorType::Q4_1 => simple(4, 0, true),
            TensorType::Q5_0 => simple(5, 16, false),
            TensorType::Q5_1 => simple(5, 0, true),
            TensorType::Q8_0 => simple(8, 128, false),
            TensorType::Q2K => nested(2, 0, true, true),
            TensorType::Q3K => nested(3, 4, true, false),
            TensorType::Q4K => nested(4, 0, false, true),
            TensorType::Q5K => nested(5, 0, false, true),
            TensorType::Q6K => nested(6, 32, true, false),
            TensorType::IQ4NL => Self { is_table: true, ..simple(4, 128, false) },
            TensorType::IQ4XS => Self { is_table: true, ..nested(4, 128, false, false) },
            _ => return None,
        })
    }

    /// Bits of the weights that are multiplied. Not all instruction sets' kernels ask.
    #[cfg_attr(not(any(target_arch = "x86_64", target_feature = "relaxed-simd")), allow(dead_code))]
    pub fn weight_bits(self) -> usize {
        if self.is_table { 8 } else { self.bits }
    }

    /// Scales of a row in a block of 32 inputs.
    pub fn scales_per_block(self) -> usize {
        if self.two_scales { 2 } else { 1 }
    }

    /// Sub-blocks with integers of their own in a block of the file.
    pub fn sub_blocks(self) -> usize {
        if self.superblock > 1 { self.superblock * self.scales_per_block() } else { 0 }
    }

    /// Whether the integers for scale and minimum share a byte, of 4 bits each (Q2_K).
    pub fn shares_bytes(self) -> bool {
        self.bits == 2
    }

    /// First of the rows in which the sub-blocks' integers lie, behind the f16 scales and minimums.
    pub fn first_sub_row(self) -> usize {
        if self.has_minimums { 4 } else { 2 }
    }

    /// Rows of 16 bytes that the scales of a block of the file take in a panel.
    pub fn scale_rows(self) -> usize {
        let sub_minimums =
            if self.has_minimums && !self.shares_bytes() { self.sub_blocks() } else { 0 };
        self.first_sub_row() + self.sub_blocks() + sub_minimums
    }
}

//! A decoder for each block type of GGUF files.
//!
//! Formats: `ggml-common.h` and `dequantize_row_*` in
//! <https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c>

use super::dimensions::BLOCK;
use crate::gguf::TensorType;

/// Blocks of 32 values in the longest block of a file.
pub const MAX_BLOCKS: usize = 8;

/// One block of a file, its values as unsigned integers.
///
/// A value is `scale · sub_scale · (quant − offset) + minimum · sub_minimum`, with the layout's
/// offset; the integers of a sub-block are 1 where the format has none. Of types with a table,
/// `quant − offset` is the table's entry instead.
pub struct DecodedBlock {
    /// The values, in as many blocks of 32 as the format has.
    pub quants: [[u8; BLOCK]; MAX_BLOCKS],
    /// The block's scale, in f16.
    pub scale: u16,
    /// The block's minimum, in f16.
    pub minimum: u16,
    /// By sub-block: multiplies the scale.
    pub sub_scales: [i8; 2 * MAX_BLOCKS],
    /// By sub-block: multiplies the minimum.
    pub sub_minimums: [u8; 2 * MAX_BLOCKS],
}

impl DecodedBlock {
    /// Decodes one block of one of the quantized types.
    pub fn new(dtype: TensorType, raw: &[u8]) -> Self {
        assert_eq!(raw.len(), dtype.block_bytes());
        let mut block = Self {
            quants: [[0; BLOCK]; MAX_BLOCKS],
            scale: 0,
            minimum: 0,
            sub_scales: [1; 2 * MAX_BLOCKS],
            sub_minimums: [1; 2 * MAX_BLOCKS],
        };
        match dtype {
            TensorType::Q4_0 | TensorType::IQ4NL => block.q4_0(half(raw, 0), 0, 0, &raw[2..]),
            TensorType::Q4_1 => block.q4_0(half(raw, 0), half(raw, 2), 0, &raw[4..]),
            TensorType::Q5_0 => block.q4_0(half(raw, 0), 0, word(raw, 2), &raw[6..]),
            TensorType::Q5_1 => block.q4_0(half(raw, 0), half(raw, 2), word(raw, 4), &raw[8..]),
            TensorType::Q8_0 => block.q8_0(raw),
            TensorType::Q2K => block.q2k(raw),
            TensorType::Q3K => block.q3k(raw),
            TensorType::Q4K => block.q4k(raw, None, &raw[16..]),
            TensorType::Q5K => block.q4k(raw, Some(&raw[16..48]), &raw[48..]),
            TensorType::Q6K => block.q6k(raw),
            TensorType::IQ4XS => block.iq4xs(raw),
            other => unreachable!("{other:?} has no blocks of small integers: bug"),
        }
        block
    }

    /// Sets the value at `index` of the whole block.
    fn set(&mut self, index: usize, quant: u8) {
        self.quants[index / BLOCK][index % BLOCK] = quant;
    }

    /// Q4_0 and IQ4_NL and, with a minimum or fifth bits, Q4_1, Q5_0 and Q5_1.
    fn q4_0(&mut self, scale: u16, minimum: u16, fifth: u32, nibbles: &[u8]) {
        (self.scale, self.minimum) = (scale, minimum);
        for (i, byte) in nibbles.iter().enumerate() {
            let bit = |index: usize| ((fifth >> index) as u8 & 1) << 4;
            self.set(i, byte & 15 | bit(i));
            self.set(i + 16, byte >> 4 | bit(i + 16));
        }
    }

    /// Signed bytes, moved up by 128.
    fn q8_0(&mut self, raw: &[u8]) {
        self.scale = half(raw, 0);
        for (i, byte) in raw[2..].iter().enumerate() {
            self.set(i, byte ^ 0x80);
        }
    }

    fn q2k(&mut self, raw: &[u8]) {
        (self.scale, self.minimum) = (half(raw, 80), half(raw, 82));
        for (sub, byte) in raw[..16].iter().enumerate() {
            self.sub_scales[sub] = (byte & 15) as i8;
            self.sub_minimums[sub] = byte >> 4;
        }
        for index in 0..256 {
            let (part, shift, at) = (index / 128, index % 128 / 32 * 2, index % 32);
            self.set(index, raw[16 + part * 32 + at] >> shift & 3);
        }
    }

    fn q3k(&mut self, raw: &[u8]) {
        self.scale = half(raw, 108);
        let (high, low, scales) = (&raw[..32], &raw[32..96], &raw[96..108]);
        for sub in 0..16 {
            let nibble = scales[sub % 8] >> (sub / 8 * 4) & 15;
            let upper = scales[8 + sub % 4] >> (sub / 4 * 2) & 3;
            self.sub_scales[sub] = (nibble | upper << 4) as i8 - 32;
        }
        for index in 0..256 {
            let (part, quarter, at) = (index / 128, index % 128 / 32, index % 32);
            let bit = high[at] >> (part * 4 + quarter) & 1;
            self.set(index, low[part * 32 + at] >> (quarter * 2) & 3 | bit << 2);
        }
    }

    /// Q4_K and, with fifth bits, Q5_K.
    fn q4k(&mut self, raw: &[u8], fifth: Option<&[u8]>, nibbles: &[u8]) {
        (self.scale, self.minimum) = (half(raw, 0), half(raw, 2));
        let packed = &raw[4..16];
        for block in 0..8 {
            let (scale, minimum) = if block < 4 {
                (packed[block] & 63, packed[block + 4] & 63)
            } else {
                let byte = packed[block + 4];
                let (scale, minimum) = (packed[block - 4] >> 6, packed[block] >> 6);
                (byte & 15 | scale << 4, byte >> 4 | minimum << 4)
            };
            self.sub_scales[block] = scale as i8;
            self.sub_minimums[block] = minimum;
            for i in 0..BLOCK {
                let nibble = nibbles[block / 2 * 32 + i] >> (block % 2 * 4) & 15;
                let bit = fifth.map_or(0, |fifth| fifth[i] >> block & 1);
                self.quants[block][i] = nibble | bit << 4;
            }
        }
    }

    /// Indices into the table of IQ4 of 256 values; a sub-block's scale has 6 bits, the upper two apart.
    fn iq4xs(&mut self, raw: &[u8]) {
        self.scale = half(raw, 0);
        let (high, low, nibbles) = (half(raw, 2), &raw[4..8], &raw[8..]);
        for block in 0..8 {
            let lower = low[block / 2] >> (block % 2 * 4) & 15;
            let upper = (high >> (2 * block)) as u8 & 3;
            self.sub_scales[block] = (lower | upper << 4) as i8 - 32;
            for (i, byte) in nibbles[block * 16..][..16].iter().enumerate() {
                self.quants[block][i] = byte & 15;
                self.quants[block][i + 16] = byte >> 4;
            }
        }
    }

    fn q6k(&mut self, raw: &[u8]) {
        self.scale = half(raw, 208);
        let (low, high, scales) = (&raw[..128], &raw[128..192], &raw[192..208]);
        for (sub_scale, byte) in self.sub_scales.iter_mut().zip(scales) {
            *sub_scale = *byte as i8;
        }
        for index in 0..256 {
            let (part, quarter, at) = (index / 128, index % 128 / 32, index % 32);
            let nibble = low[part * 64 + quarter % 2 * 32 + at] >> (quarter / 2 * 4) & 15;
            let upper = high[part * 32 + at] >> (quarter * 2) & 3;
            self.set(index, nibble | upper << 4);
        }
    }
}

/// The bits of the f16 at a place.
fn half(raw: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([raw[at], raw[at + 1]])
}

/// The little-endian u32 at a place.
fn word(raw: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])
}

//! The block types of GGUF files: their shapes, and one decoder for each.
//!
//! Formats: `ggml-common.h` and `dequantize_row_*` in
//! <https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c>

use super::BLOCK;
use crate::gguf::TensorType;

/// Blocks of 32 values in the longest block of a file.
pub(super) const MOST_BLOCKS: usize = 8;

/// One block of a file, its values as unsigned integers.
///
/// A value is `scale · factor · quant + minimum · lower`, after the form's offset
/// has been taken from `quant`; the factors of a sub-block are 1 where the format has none.
pub(super) struct Decoded {
    /// The values; as many blocks of 32 as the format has.
    pub quants: [[u8; BLOCK]; MOST_BLOCKS],
    /// The block's scale and minimum, in f16.
    pub scale: u16,
    pub minimum: u16,
    /// By sub-block: what multiplies scale and minimum.
    pub factors: [i8; 2 * MOST_BLOCKS],
    pub lowers: [u8; 2 * MOST_BLOCKS],
}

impl Decoded {
    /// Decodes one block of one of the quantized types.
    pub fn new(kind: TensorType, raw: &[u8]) -> Self {
        assert_eq!(raw.len(), kind.block_bytes());
        let mut block = Self {
            quants: [[0; BLOCK]; MOST_BLOCKS],
            scale: 0,
            minimum: 0,
            factors: [1; 2 * MOST_BLOCKS],
            lowers: [1; 2 * MOST_BLOCKS],
        };
        match kind {
            TensorType::Q4_0 => block.q4_0(half(raw, 0), 0, 0, &raw[2..]),
            TensorType::Q4_1 => block.q4_0(half(raw, 0), half(raw, 2), 0, &raw[4..]),
            TensorType::Q5_0 => block.q4_0(half(raw, 0), 0, word(raw, 2), &raw[6..]),
            TensorType::Q5_1 => block.q4_0(half(raw, 0), half(raw, 2), word(raw, 4), &raw[8..]),
            TensorType::Q8_0 => block.q8_0(raw),
            TensorType::Q2K => block.q2k(raw),
            TensorType::Q3K => block.q3k(raw),
            TensorType::Q4K => block.q4k(raw, None, &raw[16..]),
            TensorType::Q5K => block.q4k(raw, Some(&raw[16..48]), &raw[48..]),
            TensorType::Q6K => block.q6k(raw),
            other => unreachable!("{other:?} has no blocks of small integers: bug"),
        }
        block
    }

    fn set(&mut self, index: usize, quant: u8) {
        self.quants[index / BLOCK][index % BLOCK] = quant;
    }

    /// Q4_0 and, with another minimum or fifth bits, Q4_1, Q5_0 and Q5_1.
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
            self.factors[sub] = (byte & 15) as i8;
            self.lowers[sub] = byte >> 4;
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
            self.factors[sub] = (nibble | upper << 4) as i8 - 32;
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
            let (factor, lower) = if block < 4 {
                (packed[block] & 63, packed[block + 4] & 63)
            } else {
                let byte = packed[block + 4];
                let (factor, lower) = (packed[block - 4] >> 6, packed[block] >> 6);
                (byte & 15 | factor << 4, byte >> 4 | lower << 4)
            };
            self.factors[block] = factor as i8;
            self.lowers[block] = lower;
            for i in 0..BLOCK {
                let nibble = nibbles[block / 2 * 32 + i] >> (block % 2 * 4) & 15;
                let bit = fifth.map_or(0, |fifth| fifth[i] >> block & 1);
                self.quants[block][i] = nibble | bit << 4;
            }
        }
    }

    fn q6k(&mut self, raw: &[u8]) {
        self.scale = half(raw, 208);
        let (low, high, scales) = (&raw[..128], &raw[128..192], &raw[192..208]);
        for (factor, byte) in self.factors.iter_mut().zip(scales) {
            *factor = *byte as i8;
        }
        for index in 0..256 {
            let (part, quarter, at) = (index / 128, index % 128 / 32, index % 32);
            let nibble = low[part * 64 + quarter % 2 * 32 + at] >> (quarter / 2 * 4) & 15;
            let upper = high[part * 32 + at] >> (quarter * 2) & 3;
            self.set(index, nibble | upper << 4);
        }
    }
}

fn half(raw: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([raw[at], raw[at + 1]])
}

fn word(raw: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])
}

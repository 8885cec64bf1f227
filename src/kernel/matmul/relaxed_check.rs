//! Whether the dot products of relaxed SIMD are exact in this engine: they may differ between engines.

use super::activations::QuantizedActivations;
use super::dispatch;
use super::isa::relaxed;
use super::layout::{BLOCK, PackedMatrix, ROWS, WidenScratch};
use crate::gguf::TensorType;
use crate::kernel::isa::{ByteDot, Isa};

/// Blocks in a row of the small matrix that is multiplied.
const BLOCKS: usize = 4;
/// Tokens that it is multiplied with: more than a tile.
const TOKENS: usize = 5;

/// How the engine takes weights of 8 bits; nothing if not exactly.
pub fn byte_dot() -> Option<ByteDot> {
    relaxed::byte_dot()
}

/// Whether an instruction set multiplies a type as the reference does.
pub fn is_right(isa: Isa, dtype: TensorType) -> bool {
    product(isa, dtype) == product(Isa::SCALAR, dtype)
}

/// A small product.
fn product(isa: Isa, dtype: TensorType) -> Vec<[f32; ROWS]> {
    let block = |i: usize| {
        // A scale of one in f16, then anything.
        let mut block = vec![0x00, 0x3c];
        block.extend((2..dtype.block_bytes()).map(|j| (i * 31 + j * 17) as u8));
        block
    };
    let raw: Vec<u8> = (0..ROWS * BLOCKS).flat_map(block).collect();
    let matrix = PackedMatrix::pack(Isa::SCALAR, dtype, &raw, ROWS, BLOCKS * BLOCK)
        .expect("a quantized type: bug");
    let x: Vec<f32> = (0..TOKENS * BLOCKS * BLOCK).map(|i| (i % 101) as f32 - 50.0).collect();
    let kernel = dispatch::kernel(isa, matrix.layout);
    let mut x = QuantizedActivations::quantize(Isa::SCALAR, &x, BLOCKS * BLOCK);
    if dispatch::needs_16_bits(kernel) {
        x.widen();
    }
    let terms = x.terms(Isa::SCALAR, matrix.layout, dispatch::is_signed(kernel));
    let mut sums = vec![[0.0; ROWS]; TOKENS];
    let mut scratch = WidenScratch::default();
    dispatch::multiply(isa, &matrix, 0, &x, &terms, &mut scratch, &mut sums);
    sums
}

//! Half-precision floats.

/// f16 to f32 without branches, so that loops over it become vector code.
#[inline(always)]
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff);
    // The exponent's bias is 112 less than f32's; subnormals come out right too.
    let value = f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000);
    let infinite = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(value.to_bits() | infinite | u32::from(bits & 0x8000) << 16)
}

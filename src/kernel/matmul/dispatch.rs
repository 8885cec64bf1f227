//! Which kernel multiplies a layout of weights on an instruction set, and what it needs.

use super::activations::{OffsetTerms, QuantizedActivations};
use super::isa::scalar;
use super::layout::{LINES, PackedMatrix, QuantLayout, ROWS, WidenScratch};
use super::tile::{self, Kernel};
use crate::kernel::isa::{self, Isa};
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
use isa::{ByteDot, NarrowDot};

/// One of the kernels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KernelKind {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
    Avx512Vnni256,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedSums16,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedSums32,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedSigned,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedUnsigned,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

/// The kernel for a layout on an instruction set.
#[cfg_attr(not(target_feature = "relaxed-simd"), allow(unused_variables))]
pub fn kernel(isa: Isa, layout: QuantLayout) -> KernelKind {
    use isa::Kind;
    match isa.kind() {
        Kind::Scalar => KernelKind::Scalar,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => KernelKind::Avx2,
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni => KernelKind::AvxVnni,
        #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
        Kind::Avx512Vnni256 => KernelKind::Avx512Vnni256,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => KernelKind::Avx512Vnni,
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Kind::Simd128 => KernelKind::Simd128,
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::Relaxed(dots) => match (layout.weight_bits(), dots.bytes, dots.narrow) {
            (8, ByteDot::Simd128, _) => KernelKind::Simd128,
            (8, ByteDot::Signed, _) => KernelKind::RelaxedSigned,
            (8, ByteDot::Unsigned, _) => KernelKind::RelaxedUnsigned,
            (_, _, NarrowDot::Sums16) => KernelKind::RelaxedSums16,
            (_, _, NarrowDot::Sums32) => KernelKind::RelaxedSums32,
        },
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => KernelKind::Neon,
        #[cfg(target_arch = "aarch64")]
        Kind::NeonDot => KernelKind::NeonDot,
    }
}

/// Its name in `info` and diagnostics: the instruction that multiplies.
pub fn name(kernel: KernelKind) -> &'static str {
    match kernel {
        KernelKind::Scalar => "scalar",
        #[cfg(target_arch = "x86_64")]
        KernelKind::Avx2 => "vpmaddubsw (AVX2)",
        #[cfg(target_arch = "x86_64")]
        KernelKind::AvxVnni => "vpdpbusd (AVX-VNNI)",
        #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
        KernelKind::Avx512Vnni256 => "vpdpbusd (AVX-512 VNNI, 256 bits)",
        #[cfg(target_arch = "x86_64")]
        KernelKind::Avx512Vnni => "vpdpbusd (AVX-512 VNNI)",
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        KernelKind::Simd128 => "i32x4.dot_i16x8 (simd128)",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        KernelKind::RelaxedSums32 => "i32x4.relaxed_dot_i8x16_i7x16_add",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        KernelKind::RelaxedSigned => "i32x4.relaxed_dot_i8x16_i7x16_add of 8 signed bits",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        KernelKind::RelaxedUnsigned => "i32x4.relaxed_dot_i8x16_i7x16_add of 8 unsigned bits",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        KernelKind::RelaxedSums16 => "i16x8.relaxed_dot_i8x16_i7x16",
        #[cfg(target_arch = "aarch64")]
        KernelKind::Neon => "smull (NEON)",
        #[cfg(target_arch = "aarch64")]
        KernelKind::NeonDot => "sdot (NEON)",
    }
}

/// `$value`, in which `$kernel` stands for the type of a kernel; `$scalar` for the scalar one, which
/// has no such type.
macro_rules! with_kernel {
    ($kind:expr, $kernel:ident => $value:expr, scalar => $scalar:expr) => {{
        #[allow(unused_macros)]
        macro_rules! with {
            ($type:ty) => {{
                type $kernel = $type;
                $value
            }};
        }
        match $kind {
            KernelKind::Scalar => $scalar,
            #[cfg(target_arch = "x86_64")]
            KernelKind::Avx2 => with!(super::isa::avx2::Avx2),
            #[cfg(target_arch = "x86_64")]
            KernelKind::AvxVnni => with!(super::isa::vnni::AvxVnni),
            #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
            KernelKind::Avx512Vnni256 => with!(super::isa::vnni::Avx512Vnni256),
            #[cfg(target_arch = "x86_64")]
            KernelKind::Avx512Vnni => with!(super::isa::vnni::Avx512Vnni),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            KernelKind::Simd128 => with!(super::isa::simd128::Simd128),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            KernelKind::RelaxedSums16 => with!(super::isa::relaxed::Sums16),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            KernelKind::RelaxedSums32 => with!(super::isa::relaxed::Sums32),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            KernelKind::RelaxedSigned => with!(super::isa::relaxed::Bytes<true>),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            KernelKind::RelaxedUnsigned => with!(super::isa::relaxed::Bytes<false>),
            #[cfg(target_arch = "aarch64")]
            KernelKind::Neon => with!(super::isa::neon::Neon<false>),
            #[cfg(target_arch = "aarch64")]
            KernelKind::NeonDot => with!(super::isa::neon::Neon<true>),
        }
    }};
}

/// Whether it multiplies activations of 16 bits.
pub fn needs_16_bits(kernel: KernelKind) -> bool {
    with_kernel!(kernel, K => K::LINES > LINES, scalar => false)
}

/// Whether it takes the weights' offset off before it multiplies.
pub fn is_signed(kernel: KernelKind) -> bool {
    with_kernel!(kernel, K => K::SIGNED, scalar => true)
}

/// Multiplies one panel with all tokens: sums `[tokens, ROWS]`, overwritten.
#[allow(unsafe_code)]
pub fn multiply(
    isa: Isa,
    matrix: &PackedMatrix,
    panel: usize,
    x: &QuantizedActivations,
    terms: &OffsetTerms,
    scratch: &mut WidenScratch,
    sums: &mut [[f32; ROWS]],
) {
    with_kernel!(
        kernel(isa, matrix.layout),
        // SAFETY: a value of `Isa` is proof that the processor has the instructions.
        K => unsafe { tile::multiply::<K>(matrix, panel, x, terms, scratch, sums) },
        scalar => scalar::multiply(matrix, panel, x, terms, scratch, sums)
    )
}

//! Which kernel multiplies a form of weights on a backend, and what it wants to be given.

use super::pack::Form;
use super::tile::{self, Kernel};
use super::{Activations, LINES, Matrix, ROWS, Scratch, Terms, scalar};
use crate::kernel::backend::{Backend, Kind};

/// The kernel for a form: the backend's own, or another that it leaves the form to.
#[cfg_attr(not(target_feature = "relaxed-simd"), allow(unused_variables))]
pub(super) fn kernel(backend: Backend, form: Form) -> Kind {
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    return match (backend.kind(), form.bits) {
        (Kind::RelaxedDot | Kind::RelaxedShort, 8) => Kind::Simd128,
        (Kind::RelaxedSigned | Kind::RelaxedUnsigned, ..8) => Kind::RelaxedDot,
        (own, _) => own,
    };
    #[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
    backend.kind()
}

/// How `info` and diagnostics call it.
pub(super) fn name(kernel: Kind) -> &'static str {
    match kernel {
        Kind::Scalar => "scalar",
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => "vpmaddubsw (AVX2)",
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni => "vpdpbusd (AVX-VNNI)",
        #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
        Kind::Avx512Vnni256 => "vpdpbusd (AVX-512 VNNI, 256 bits)",
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => "vpdpbusd (AVX-512 VNNI)",
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Kind::Simd128 => "i32x4.dot_i16x8 (simd128)",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedDot => "i32x4.relaxed_dot_i8x16_i7x16_add",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedSigned => "i32x4.relaxed_dot_i8x16_i7x16_add of 8 signed bits",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedUnsigned => "i32x4.relaxed_dot_i8x16_i7x16_add of 8 unsigned bits",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedShort => "i16x8.relaxed_dot_i8x16_i7x16",
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => "smull (NEON)",
        #[cfg(target_arch = "aarch64")]
        Kind::NeonDot => "sdot (NEON)",
    }
}

/// A value that hangs on a backend's kernel, named as a type; and of the scalar one, which has none.
macro_rules! of_kernel {
    ($kind:expr, $kernel:ident => $value:expr, scalar => $scalar:expr) => {{
        #[allow(unused_macros)]
        macro_rules! with {
            ($type:ty) => {{
                type $kernel = $type;
                $value
            }};
        }
        match $kind {
            Kind::Scalar => $scalar,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => with!(super::avx2::Avx2),
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => with!(super::vnni::AvxVnni),
            #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
            Kind::Avx512Vnni256 => with!(super::vnni::Avx512Vnni256),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vnni => with!(super::vnni::Avx512Vnni),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128 => with!(super::simd128::Simd128),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedShort => with!(super::relaxed::RelaxedShort),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedDot => with!(super::relaxed::RelaxedDot),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedSigned => with!(super::relaxed::RelaxedBytes<true>),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedUnsigned => with!(super::relaxed::RelaxedBytes<false>),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => with!(super::neon::Neon<false>),
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDot => with!(super::neon::Neon<true>),
        }
    }};
}

/// Whether it multiplies activations of 16 bits.
pub(super) fn wants_wide(kernel: Kind) -> bool {
    of_kernel!(kernel, K => K::LINES > LINES, scalar => false)
}

/// Whether it takes the weights' offset off before it multiplies.
pub(super) fn is_signed(kernel: Kind) -> bool {
    of_kernel!(kernel, K => K::SIGNED, scalar => true)
}

/// Multiplies one panel with all tokens: sums `[tokens, ROWS]`, overwritten.
#[allow(unsafe_code)]
pub(super) fn multiply(
    backend: Backend,
    matrix: &Matrix,
    panel: usize,
    x: &Activations,
    terms: &Terms,
    scratch: &mut Scratch,
    sums: &mut [[f32; ROWS]],
) {
    of_kernel!(
        kernel(backend, matrix.form),
        // SAFETY: a value of `Backend` is proof that the processor has the instructions.
        K => unsafe { tile::multiply::<K>(matrix, panel, x, terms, scratch, sums) },
        scalar => scalar::multiply(matrix, panel, x, terms, scratch, sums)
    )
}

//! Which kernel multiplies a form of weights on a backend, and what it wants to be given.

use super::pack::Form;
use super::{Activations, Matrix, ROWS, Scratch, Terms, scalar};
use crate::kernel::backend::{Backend, Kind};

/// The kernel for a form: the backend's own, or another that it leaves the form to.
#[cfg_attr(not(target_feature = "relaxed-simd"), allow(unused_variables))]
pub(super) fn kernel(backend: Backend, form: Form) -> Kind {
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    if backend.kind() == Kind::RelaxedShort && form.bits == 8 {
        return Kind::Simd128;
    }
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
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni256 => "vpdpbusd (AVX-512 VNNI, 256 bits)",
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => "vpdpbusd (AVX-512 VNNI)",
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Kind::Simd128 => "i32x4.dot_i16x8 (simd128)",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedDot => "i32x4.relaxed_dot_i8x16_i7x16_add",
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedShort => "i16x8.relaxed_dot_i8x16_i7x16",
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => "smull (NEON)",
        #[cfg(target_arch = "aarch64")]
        Kind::NeonDot => "sdot (NEON)",
    }
}

/// Whether it multiplies activations of 16 bits.
#[cfg_attr(not(target_arch = "wasm32"), allow(unused_variables))]
pub(super) fn wants_wide(kernel: Kind) -> bool {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return kernel == Kind::Simd128;
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    false
}

/// Whether it takes the weights' offset off before it multiplies.
pub(super) fn is_signed(kernel: Kind) -> bool {
    match kernel {
        Kind::Scalar => true,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 | Kind::AvxVnni | Kind::Avx512Vnni256 | Kind::Avx512Vnni => false,
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Kind::Simd128 => true,
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedShort | Kind::RelaxedDot => false,
        #[cfg(target_arch = "aarch64")]
        Kind::Neon | Kind::NeonDot => true,
    }
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
    #[allow(unused_macros)]
    macro_rules! run {
        ($kernel:path) => {
            // SAFETY: a value of `Backend` is proof that the processor has the instructions.
            unsafe { super::tile::multiply::<$kernel>(matrix, panel, x, terms, scratch, sums) }
        };
    }
    match kernel(backend, matrix.form) {
        Kind::Scalar => scalar::multiply(matrix, panel, x, terms, scratch, sums),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => run!(super::avx2::Avx2),
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni => run!(super::vnni::AvxVnni),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni256 => run!(super::vnni::Avx512Vnni256),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => run!(super::vnni::Avx512Vnni),
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Kind::Simd128 => run!(super::simd128::Simd128),
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedShort => run!(super::relaxed::RelaxedShort),
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Kind::RelaxedDot => run!(super::relaxed::RelaxedDot),
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => run!(super::neon::Neon<false>),
        #[cfg(target_arch = "aarch64")]
        Kind::NeonDot => run!(super::neon::Neon<true>),
    }
}

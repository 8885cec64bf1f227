//! The instruction sets that kernels are written for, and how plain loops are compiled for each.
//!
//! Which of them the machine has is found out in [`super::select`].

use super::lanes::{self, Lanes};

/// An instruction set. A value of it is proof that the processor has the instructions: only
/// [`super::select`] makes values other than [`Isa::SCALAR`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Kind);

/// The instruction sets of the machine that this is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Plain loops.
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// The kernel of AVX-VNNI with AVX-512's form of its instruction: to test and measure that kernel
    /// on processors that have only this form.
    #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
    Avx512Vnni256,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    Relaxed(RelaxedDots),
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

/// Which dot products a WebAssembly build with relaxed SIMD uses: which are exact and fast depends on
/// the engine and the processor.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RelaxedDots {
    /// For weights of at most 6 bits.
    pub narrow: NarrowDot,
    /// For weights of 8 bits.
    pub bytes: ByteDot,
}

/// Dot products of weights of at most 6 bits.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NarrowDot {
    /// Four products, added to an i32.
    Sums32,
    /// Two products, added in 16 bits.
    Sums16,
}

/// Dot products of weights of 8 bits.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteDot {
    /// The one of simd128, of 16-bit weights and activations.
    Simd128,
    /// The relaxed one, in an engine that takes its weights as signed bytes.
    Signed,
    /// The relaxed one, in an engine that takes its weights as unsigned bytes.
    Unsigned,
}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Isa {
    /// Plain loops. They run on every machine and define the results of the others.
    pub const SCALAR: Self = Self(Kind::Scalar);

    /// The value for an instruction set that the processor has.
    pub(super) fn new(kind: Kind) -> Self {
        Self(kind)
    }

    /// Its name in `info` and diagnostics.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => "AVX-VNNI",
            #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
            Kind::Avx512Vnni256 => "AVX-512 VNNI, 256 bits",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vnni => "AVX-512 VNNI",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128 => "simd128",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::Relaxed(dots) => dots.name(),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "NEON",
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDot => "NEON dot products",
        }
    }

    pub(super) fn kind(self) -> Kind {
        self.0
    }

    /// Runs plain loops, compiled for these instructions.
    #[allow(unsafe_code)]
    pub(super) fn run<T: SimdTask>(self, task: T) -> T::Output {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2")]
            fn avx2<T: SimdTask>(task: T) -> T::Output {
                task.run::<lanes::Avx2>()
            }
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
            fn avx512<T: SimdTask>(task: T) -> T::Output {
                task.run::<lanes::Avx512>()
            }
            match self.0 {
                Kind::Scalar => task.run::<lanes::Plain>(),
                // SAFETY: a value of `Isa` is proof that the processor has the instructions.
                Kind::Avx2 | Kind::AvxVnni => unsafe { avx2(task) },
                // SAFETY: as above.
                Kind::Avx512Vnni => unsafe { avx512(task) },
                // SAFETY: as above.
                #[cfg(any(test, feature = "bench"))]
                Kind::Avx512Vnni256 => unsafe { avx512(task) },
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        match self.0 {
            Kind::Scalar => task.run::<lanes::Plain>(),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            _ => task.run::<lanes::Simd128>(),
            #[cfg(target_arch = "aarch64")]
            _ => task.run::<lanes::Neon>(),
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
impl RelaxedDots {
    fn name(self) -> &'static str {
        match (self.narrow, self.bytes) {
            (NarrowDot::Sums32, ByteDot::Simd128) => "relaxed SIMD, 32-bit sums",
            (NarrowDot::Sums32, ByteDot::Signed) => "relaxed SIMD, 32-bit sums, signed bytes",
            (NarrowDot::Sums32, ByteDot::Unsigned) => "relaxed SIMD, 32-bit sums, unsigned bytes",
            (NarrowDot::Sums16, ByteDot::Simd128) => "relaxed SIMD, 16-bit sums",
            (NarrowDot::Sums16, ByteDot::Signed) => "relaxed SIMD, 16-bit sums, signed bytes",
            (NarrowDot::Sums16, ByteDot::Unsigned) => "relaxed SIMD, 16-bit sums, unsigned bytes",
        }
    }
}

/// Plain loops that [`Isa::run`] compiles for each instruction set. It takes the place of a closure,
/// which is not inlined into a function with other target features. Implementors mark all functions
/// down to the loops `inline(always)`.
pub(super) trait SimdTask {
    /// The result.
    type Output;
    /// Runs the loops; those that are written with vectors use `L`.
    fn run<L: Lanes>(self) -> Self::Output;
}

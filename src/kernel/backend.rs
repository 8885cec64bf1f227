//! Which instructions are used: found out when the program runs. A WebAssembly module has those that it
//! was built with; of two ways to multiply with relaxed SIMD the faster is found out.

use std::sync::OnceLock;

use super::lanes::{self, Lanes};

/// A set of instructions. A value of it is proof that the processor has them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Backend(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// What AVX-VNNI computes, where AVX-512 has its instruction: to test and measure it there.
    #[cfg(all(target_arch = "x86_64", any(test, feature = "bench")))]
    Avx512Vnni256,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedShort,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedDot,
    /// [`Self::RelaxedDot`] that takes weights of 8 bits as signed.
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedSigned,
    /// [`Self::RelaxedDot`] that takes weights of 8 bits as unsigned.
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedUnsigned,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Backend {
    /// The backend that works everywhere and defines what the others compute.
    pub const SCALAR: Self = Self(Kind::Scalar);

    /// The one that all operations use: the fastest here.
    pub fn best() -> Self {
        static BEST: OnceLock<Backend> = OnceLock::new();
        *BEST.get_or_init(Self::find)
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    fn find() -> Self {
        Self::available().into_iter().next_back().unwrap_or(Self::SCALAR)
    }

    /// A WebAssembly module cannot ask how long an instruction takes, so that two are tried.
    #[cfg(target_feature = "relaxed-simd")]
    fn find() -> Self {
        use wasm_bindgen::prelude::*;
        #[wasm_bindgen]
        extern "C" {
            #[wasm_bindgen(js_namespace = performance)]
            fn now() -> f64;
        }
        let [short, neither] = [Kind::RelaxedShort, Kind::Simd128].map(Self);
        let dot = Self::available().into_iter().next_back().unwrap_or(neither);
        super::matmul::fastest(dot, short, neither, now)
    }

    /// All that work here, the faster the later, as far as can be known without trying.
    #[allow(clippy::vec_init_then_push)]
    pub fn available() -> Vec<Self> {
        let mut found = vec![Kind::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                found.push(Kind::Avx2);
                if is_x86_feature_detected!("avxvnni") {
                    found.push(Kind::AvxVnni);
                }
            }
            let wide = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512dq");
            let vnni = is_x86_feature_detected!("avx512vnni");
            if wide && vnni && is_x86_feature_detected!("avx512vl") {
                #[cfg(any(test, feature = "bench"))]
                found.push(Kind::Avx512Vnni256);
                found.push(Kind::Avx512Vnni);
            }
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        found.push(Kind::Simd128);
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        {
            found.extend([Kind::RelaxedShort, Kind::RelaxedDot]);
            found.extend(super::matmul::relaxed_bytes());
        }
        #[cfg(target_arch = "aarch64")]
        {
            // All processors of this architecture have it.
            found.push(Kind::Neon);
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                found.push(Kind::NeonDot);
            }
        }
        found.into_iter().map(Self).collect()
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
            Kind::RelaxedDot => "relaxed SIMD, 32-bit sums",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedSigned => "relaxed SIMD, 32-bit sums, signed bytes",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedUnsigned => "relaxed SIMD, 32-bit sums, unsigned bytes",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedShort => "relaxed SIMD, 16-bit sums",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "NEON",
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDot => "NEON dot products",
        }
    }

    pub(super) fn kind(self) -> Kind {
        self.0
    }

    /// Runs plain loops, compiled for this backend's instructions.
    #[allow(unsafe_code)]
    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2")]
            fn avx2<W: Work>(work: W) -> W::Output {
                work.run::<lanes::Avx2>()
            }
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
            fn avx512<W: Work>(work: W) -> W::Output {
                work.run::<lanes::Avx512>()
            }
            match self.0 {
                Kind::Scalar => work.run::<lanes::Plain>(),
                // SAFETY: `available` made this value, so the processor has the instructions.
                Kind::Avx2 | Kind::AvxVnni => unsafe { avx2(work) },
                // SAFETY: as above.
                Kind::Avx512Vnni => unsafe { avx512(work) },
                // SAFETY: as above.
                #[cfg(any(test, feature = "bench"))]
                Kind::Avx512Vnni256 => unsafe { avx512(work) },
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        match self.0 {
            Kind::Scalar => work.run::<lanes::Plain>(),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            _ => work.run::<lanes::Simd128>(),
            #[cfg(target_arch = "aarch64")]
            _ => work.run::<lanes::Neon>(),
        }
    }
}

/// Plain loops that [`Backend::run`] compiles for each instruction set; a closure would not be
/// inlined, and so stay without them. Implementors are `inline(always)` down to the loops.
pub(super) trait Work {
    /// What comes of it.
    type Output;
    /// Does it, with the backend's vectors of floats where loops are written with them.
    fn run<L: Lanes>(self) -> Self::Output;
}

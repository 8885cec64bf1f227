//! Which instruction sets work here, and which of them is the fastest.
//!
//! Natively the processor is asked. A WebAssembly module has the instructions that it was built with;
//! which dot products of relaxed SIMD are exact and fast is found out by [`super::probe`].

use std::sync::OnceLock;

use super::isa::Isa;
#[cfg(any(not(target_feature = "relaxed-simd"), test, feature = "bench"))]
use super::isa::Kind;
#[cfg(target_feature = "relaxed-simd")]
use super::probe;

/// The fastest instruction set of this machine, which all operations use.
pub fn best() -> Isa {
    static BEST: OnceLock<Isa> = OnceLock::new();
    *BEST.get_or_init(find)
}

#[cfg(not(target_feature = "relaxed-simd"))]
fn find() -> Isa {
    available().into_iter().next_back().unwrap_or(Isa::SCALAR)
}

/// A WebAssembly module cannot ask how long an instruction takes, so that they are timed.
#[cfg(target_feature = "relaxed-simd")]
fn find() -> Isa {
    use wasm_bindgen::prelude::*;
    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = performance)]
        fn now() -> f64;
    }
    Isa::new(probe::fastest(now))
}

/// All that work here, from slow to fast as far as can be known without timing.
#[cfg(any(not(target_feature = "relaxed-simd"), test, feature = "bench"))]
#[cfg_attr(target_arch = "wasm32", allow(clippy::vec_init_then_push))]
pub fn available() -> Vec<Isa> {
    let mut found = vec![Kind::Scalar];
    #[cfg(target_arch = "x86_64")]
    add_x86(&mut found);
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    found.push(Kind::Simd128);
    #[cfg(target_feature = "relaxed-simd")]
    add_relaxed(&mut found);
    #[cfg(target_arch = "aarch64")]
    add_neon(&mut found);
    found.into_iter().map(Isa::new).collect()
}

#[cfg(target_arch = "x86_64")]
fn add_x86(found: &mut Vec<Kind>) {
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

/// Every dot product of relaxed SIMD that is exact here, at least once.
#[cfg(all(target_feature = "relaxed-simd", any(test, feature = "bench")))]
fn add_relaxed(found: &mut Vec<Kind>) {
    use super::isa::{ByteDot, NarrowDot, RelaxedDots};
    let relaxed = |narrow, bytes| Kind::Relaxed(RelaxedDots { narrow, bytes });
    found.push(relaxed(NarrowDot::Sums16, ByteDot::Simd128));
    found.push(relaxed(NarrowDot::Sums32, ByteDot::Simd128));
    found.extend(probe::byte_dot().map(|bytes| relaxed(NarrowDot::Sums32, bytes)));
}

#[cfg(target_arch = "aarch64")]
fn add_neon(found: &mut Vec<Kind>) {
    // All processors of this architecture have it.
    found.push(Kind::Neon);
    if std::arch::is_aarch64_feature_detected!("dotprod") {
        found.push(Kind::NeonDot);
    }
}

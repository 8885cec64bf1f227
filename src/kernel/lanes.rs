//! Vectors of sixteen f32, in as many registers as an instruction set needs for them.
//!
//! For loops that the compiler does not turn into good vector code by itself. Multiplication and addition
//! are never fused, so that all instruction sets give the same bits.

#![allow(unsafe_code)]

/// Values in a [`Lanes`].
pub(super) const LANES: usize = 16;

/// A vector of [`LANES`] values.
///
/// # Safety
/// The processor must have the instructions of the implementor: [`super::isa::Isa::run`] chooses one
/// for which that is so.
pub(super) trait Lanes: Copy {
    /// Sums that fit into registers besides the factors that are multiplied: a power of two, as head
    /// sizes are. Where each sum needs a pointer of its own, more than eight are not faster.
    const SUMS: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: &[f32; LANES]) -> Self;
    unsafe fn store(self, to: &mut [f32; LANES]);
    /// self + a · b
    unsafe fn plus_product(self, a: Self, b: Self) -> Self;

    /// Rows to columns, value by value unless the instruction set has enough registers to do better.
    #[inline(always)]
    unsafe fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut square = [[0.0; LANES]; LANES];
        // SAFETY: as the trait demands.
        unsafe {
            rows.iter().zip(&mut square).for_each(|(row, square)| row.store(square));
            let mut columns = [[0.0; LANES]; LANES];
            for row in 0..LANES {
                for column in 0..LANES {
                    columns[column][row] = square[row][column];
                }
            }
            array_from_fn(|column| Self::load(&columns[column]))
        }
    }
}

/// Plain loops, for any machine.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; LANES]);

impl Lanes for Plain {
    const SUMS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: &[f32; LANES]) -> Self {
        Self(*from)
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }
    #[inline(always)]
    unsafe fn plus_product(mut self, a: Self, b: Self) -> Self {
        for lane in 0..LANES {
            self.0[lane] += a.0[lane] * b.0[lane];
        }
        self
    }
}

#[allow(unused_macros)]
macro_rules! lanes {
    ($name:ident, $vector:ty, $count:literal, $sums:literal, $splat:path, $load:path, $store:path, $mul:path, $add:path $(, $transpose:path)?) => {
        /// The vectors of one instruction set.
        #[derive(Clone, Copy)]
        pub(in crate::kernel) struct $name([$vector; $count]);

        // SAFETY of all methods: the trait's promise that the instructions are there; arrays are
        // as long as the vectors together.
        #[allow(unused_unsafe)] // WebAssembly's arithmetic is safe
        impl Lanes for $name {
            const SUMS: usize = $sums;

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                Self([unsafe { $splat(value) }; $count])
            }
            #[inline(always)]
            unsafe fn load(from: &[f32; LANES]) -> Self {
                let part = |i| unsafe { $load(from.as_ptr().add(i * (LANES / $count)).cast()) };
                Self(array_from_fn(part))
            }
            #[inline(always)]
            unsafe fn store(self, to: &mut [f32; LANES]) {
                for (i, part) in self.0.into_iter().enumerate() {
                    unsafe { $store(to.as_mut_ptr().add(i * (LANES / $count)).cast(), part) };
                }
            }
            #[inline(always)]
            unsafe fn plus_product(self, a: Self, b: Self) -> Self {
                Self(array_from_fn(|i| unsafe { $add(self.0[i], $mul(a.0[i], b.0[i])) }))
            }
            $(#[inline(always)]
            unsafe fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
                let columns = unsafe { $transpose(array_from_fn(|i| rows[i].0[0])) };
                array_from_fn(|i| Self([columns[i]]))
            })?
        }
    };
}

/// `std::array::from_fn` that is always inlined, as vector code has to be.
#[inline(always)]
pub(super) fn array_from_fn<T: Copy, const N: usize>(mut make: impl FnMut(usize) -> T) -> [T; N] {
    let mut array = [make(0); N];
    for (i, place) in array.iter_mut().enumerate().skip(1) {
        *place = make(i);
    }
    array
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::{LANES, Lanes, array_from_fn};

    lanes!(
        Avx2,
        __m256,
        2,
        4,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_mul_ps,
        _mm256_add_ps
    );
    lanes!(
        Avx512,
        __m512,
        1,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_mul_ps,
        _mm512_add_ps,
        transpose_16
    );

    /// Rows to columns: values are exchanged between pairs of rows, then pairs of values, and so on.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn transpose_16(rows: [__m512; LANES]) -> [__m512; LANES] {
        // Within 128 bits: value c of rows 4i to 4i + 3, for c of each 128 bits.
        let pairs: [__m512; LANES] = array_from_fn(|i| {
            let (a, b) = (rows[i & !1], rows[i | 1]);
            if i % 2 == 0 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) }
        });
        let fours: [__m512; LANES] = array_from_fn(|i| {
            let first = i & !3 | i >> 1 & 1;
            let (a, b) = (_mm512_castps_pd(pairs[first]), _mm512_castps_pd(pairs[first + 2]));
            let both = if i % 2 == 0 { _mm512_unpacklo_pd(a, b) } else { _mm512_unpackhi_pd(a, b) };
            _mm512_castpd_ps(both)
        });
        // Whole 128 bits: the even ones of two vectors, or the odd ones.
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        let eights: [__m512; LANES] = array_from_fn(|i| {
            let (a, b) = (fours[i & 8 | i & 3], fours[i & 8 | 4 | i & 3]);
            if i & 4 == 0 {
                _mm512_shuffle_f32x4::<EVEN>(a, b)
            } else {
                _mm512_shuffle_f32x4::<ODD>(a, b)
            }
        });
        array_from_fn(|i| {
            let (a, b) = (eights[i & 7], eights[8 | i & 7]);
            if i & 8 == 0 {
                _mm512_shuffle_f32x4::<EVEN>(a, b)
            } else {
                _mm512_shuffle_f32x4::<ODD>(a, b)
            }
        })
    }
}
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{Avx2, Avx512};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32 {
    use std::arch::wasm32::*;

    use super::{LANES, Lanes, array_from_fn};

    lanes!(Simd128, v128, 4, 2, f32x4_splat, v128_load, v128_store, f32x4_mul, f32x4_add);
}
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use wasm32::Simd128;

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::aarch64::*;

    use super::{LANES, Lanes, array_from_fn};

    lanes!(Neon, float32x4_t, 4, 4, vdupq_n_f32, vld1q_f32, vst1q_f32, vmulq_f32, vaddq_f32);
}
#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::Neon;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::kernel::isa::SimdTask;
    use crate::kernel::select;

    struct Transpose([[f32; LANES]; LANES]);

    impl SimdTask for Transpose {
        type Output = [[f32; LANES]; LANES];

        #[inline(always)]
        fn run<L: Lanes>(self) -> Self::Output {
            let mut columns = self.0;
            // SAFETY: `Isa::run` chose L for instructions that the processor has.
            let found = unsafe { L::transpose(array_from_fn(|row| L::load(&self.0[row]))) };
            found.iter().zip(&mut columns).for_each(|(from, to)| unsafe { from.store(to) });
            columns
        }
    }

    #[test]
    fn every_isa_transposes() {
        let value = |row: usize, column: usize| (row * LANES + column) as f32;
        let rows = std::array::from_fn(|row| std::array::from_fn(|column| value(row, column)));
        let columns = std::array::from_fn(|column| std::array::from_fn(|row| value(row, column)));
        for isa in select::available() {
            assert_eq!(isa.run(Transpose(rows)), columns, "{isa:?}");
        }
    }
}

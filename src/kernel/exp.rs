//! The exponential function, without branches, so that loops over it become vector code.

/// log₂ e.
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts; the first has so few bits that its products with small integers are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// 1.5 · 2²³: added and subtracted again, it rounds to the nearest integer.
const INTEGERS: f32 = 12_582_912.0;
/// Below this the result is 0.
const LOWEST: f32 = -86.9;
/// Above this the result is infinite.
const HIGHEST: f32 = 88.72;

/// eˣ with a relative error of at most 1.2·10⁻⁷ (two units in the last place), on every machine
/// the same bits; 0 below −86.9, infinite above 88.72, NaN of NaN.
///
/// x = n·ln 2 + r with |r| ≤ ½ ln 2, so eˣ = 2ⁿ · eʳ, and eʳ is its Taylor series' first eight
/// terms (the ninth is below 6·10⁻⁹).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let count = x * LOG2_E + INTEGERS;
    let n = count - INTEGERS;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut series = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * r + term;
    }
    // The low bits of `count` are n. 2ⁿ is made as 2ⁿ⁻¹ · 2, since 2¹²⁸ is no f32.
    let half = f32::from_bits((count.to_bits() << 23).wrapping_add(126 << 23));
    let value = series * half * 2.0;
    let value = if x < LOWEST { 0.0 } else { value };
    if x > HIGHEST { f32::INFINITY } else { value }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::exp;

    #[test]
    fn is_as_close_as_it_says() {
        let mut worst: f64 = 0.0;
        let step = if cfg!(miri) { 997_000 } else { 997 };
        for bits in (0..0x42b1_7000_u32).step_by(step) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                if (-86.9..=88.72).contains(&x) {
                    let exact = f64::from(x).exp();
                    worst = worst.max((f64::from(exp(x)) / exact - 1.0).abs());
                }
            }
        }
        assert!(worst <= 1.2e-7, "{worst}");
        assert!(worst > 1e-8, "the bound is not measured: {worst}");
    }

    #[test]
    fn ends_of_its_range() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-1e30), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(89.0), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(88.72).is_finite() && exp(-86.9) > 0.0);
    }
}

//! Causal mask and online softmax of a block of logits `[keys, LANES]`.

use std::ops::Range;

use crate::kernel::exp::exp;
use crate::kernel::lanes::LANES;

/// Sets the logits of keys behind the last that a lane sees to −∞.
#[inline(always)]
pub fn causal_mask(weights: &mut [[f32; LANES]], keys: Range<usize>, last: &[usize; LANES]) {
    // The first lane sees the fewest keys, and all other lanes see those too.
    let unseen = keys.zip(weights).skip_while(|(key, _)| *key <= last[0]);
    for (key, weights) in unseen {
        for lane in 0..LANES {
            weights[lane] = if key > last[lane] { f32::NEG_INFINITY } else { weights[lane] };
        }
    }
}

/// values[i][lane] *= factor[lane]
#[inline(always)]
pub fn scale(values: &mut [[f32; LANES]], factor: &[f32; LANES]) {
    for values in values {
        for lane in 0..LANES {
            values[lane] *= factor[lane];
        }
    }
}

/// Turns a block's logits into weights, e to the power of logit − highest. Returns by lane the factor
/// for earlier sums, whose weights were relative to the highest logit before.
///
/// `highest` is the highest logit so far and `totals` the sum of the weights, which both are updated.
#[inline(always)]
pub fn online_softmax(
    weights: &mut [[f32; LANES]],
    highest: &mut [f32; LANES],
    totals: &mut [f32; LANES],
) -> [f32; LANES] {
    let before = *highest;
    for weights in weights.iter() {
        for lane in 0..LANES {
            let larger = weights[lane] > highest[lane];
            highest[lane] = if larger { weights[lane] } else { highest[lane] };
        }
    }
    let mut factor = [0.0; LANES];
    for lane in 0..LANES {
        factor[lane] = exp(before[lane] - highest[lane]);
        totals[lane] *= factor[lane];
    }
    for weights in weights.iter_mut() {
        for lane in 0..LANES {
            weights[lane] = exp(weights[lane] - highest[lane]);
            totals[lane] += weights[lane];
        }
    }
    factor
}

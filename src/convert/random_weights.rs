//! The weights of random models: which spread each tensor has, and the numbers
//! themselves, from integers alone, so that every platform makes the same.

use std::ops::Range;

use crate::gguf::TensorPlan;
use crate::model::Config;
use crate::model::tensors::{EMBEDDING, OUTPUT, layer_part};

/// Spread of margins, were the last hidden state wholly the document's.
const MARGIN: f64 = 3.0;
/// Weights of the query and key norms: attention this much sharper than that
/// of unit vectors, or else the mean over a prompt tells documents apart little.
const SHARPNESS: f64 = 1.5;
/// What all attention together adds to the residual stream, the embedding's size being 1.
const ATTENTION: f64 = 6.0;
/// What all feed-forward parts together add.
const FEED_FORWARD: f64 = 1.0;
/// Spread of norm weights about their mean.
const NORM_SPREAD: f64 = 0.1;

/// The values of one tensor.
pub struct RandomTensor {
    key: u64,
    columns: usize,
    mean: f32,
    /// Factor to the centred sum of four 16-bit numbers.
    scale: f32,
}

impl RandomTensor {
    /// The values of the tensor of `plan`.
    pub fn new(config: &Config, seed: u64, plan: &TensorPlan) -> Self {
        let (mean, spread) = distribution(config, plan);
        // Four numbers uniform on 0..2^16 have this standard deviation together.
        let unit = (4.0 * (65536.0 * 65536.0 - 1.0) / 12.0f64).sqrt();
        let key = plan.name.bytes().fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)));
        Self { key, columns: plan.columns(), mean: mean as f32, scale: (spread / unit) as f32 }
    }

    /// The values of some rows, end to end.
    pub fn rows(&self, rows: Range<usize>) -> Vec<f32> {
        let mut values = Vec::with_capacity(rows.len() * self.columns);
        for row in rows {
            let mut state = mix(self.key ^ mix(row as u64));
            values.extend((0..self.columns).map(|_| {
                state = state.wrapping_add(STEP);
                self.value(mix(state))
            }));
        }
        values
    }

    /// A nearly normal value: the sum of four uniform ones.
    fn value(&self, bits: u64) -> f32 {
        let sum: i32 = (0..4).map(|part| (bits >> (16 * part)) as i32 & 0xffff).sum();
        // Exact up to the product, which is rounded once, and the sum once more.
        self.mean + (sum - 2 * 0xffff) as f32 * self.scale
    }
}

/// Mean and standard deviation of a tensor's values. Square roots are exact to
/// the last bit everywhere; nothing else here is but products.
fn distribution(config: &Config, plan: &TensorPlan) -> (f64, f64) {
    let embedding = MARGIN / (2.0 * config.hidden_size as f64).sqrt();
    let keep = 1.0 / (plan.columns() as f64).sqrt();
    let branch = embedding * keep / (config.num_hidden_layers as f64).sqrt();
    let part = layer_part(&plan.name).map_or(plan.name.as_str(), |(_, part)| part);
    match part {
        EMBEDDING | OUTPUT => (0.0, embedding),
        "attn_q_norm" | "attn_k_norm" => (SHARPNESS, SHARPNESS * NORM_SPREAD),
        "attn_output" => (0.0, ATTENTION * branch),
        "ffn_down" => (0.0, FEED_FORWARD * branch),
        _ if plan.dims.len() == 1 => (1.0, NORM_SPREAD),
        _ => (0.0, keep),
    }
}

/// The step between states of SplitMix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014), a bijection.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

//! Each kernel alone, on one thread: an item is a multiply-add, so that Gitem/s is G multiply-adds/s.
//!
//!     cargo bench --bench kernel --features bench           # all types on all backends of this machine
//!     cargo bench --bench kernel --features bench -- Q4K

use std::fmt;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use qwen3_rerank::bench::{Backend, Product};

const TOKENS: usize = 120;
const SIDE: usize = 1024;
const TYPES: [GgmlDType; 13] = {
    use GgmlDType::*;
    [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K]
};

/// A type of weights on a backend.
struct Case {
    dtype: GgmlDType,
    backend: Backend,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}", self.dtype, self.backend.name())
    }
}

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
    divan::main();
}

fn cases() -> Vec<Case> {
    let backends = Backend::available();
    let on_all = |dtype| backends.clone().into_iter().map(move |backend| Case { dtype, backend });
    TYPES.into_iter().flat_map(on_all).collect()
}

/// Values from −1 to 1 in no order.
fn values(count: usize) -> Vec<f32> {
    (0..count as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0)
        .collect()
}

/// 120 tokens × 1024 × 1024, the rounding of the activations included.
#[divan::bench(args = cases())]
fn product(bencher: Bencher<'_, '_>, case: &Case) {
    let weights = Tensor::from_vec(values(SIDE * SIDE), (SIDE, SIDE), &Device::Cpu);
    let weights =
        weights.and_then(|weights| QTensor::quantize(&weights, case.dtype)).expect("valid");
    let raw = weights.data().expect("on the CPU");
    let product = Product::new(case.dtype, &raw, [SIDE, SIDE], case.backend);
    let x = values(TOKENS * SIDE);
    bencher.counter(ItemsCount::new(TOKENS * SIDE * SIDE)).bench_local(|| product.run(&x));
}

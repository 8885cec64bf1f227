//! Each kernel alone, on one thread, and the upper limit of the machine's instructions.
//!
//! An item is a multiply-add, so that Gitem/s is G multiply-adds/s; of norm, rope and silu_mul it
//! is a value.
//!
//!     cargo bench --bench kernel --features bench           # all, on all instruction sets of this machine
//!     cargo bench --bench kernel --features bench -- Q4K

use std::fmt;

use divan::Bencher;
use divan::counter::ItemsCount;
use qwen3_rerank::bench::{
    self, AttentionShape, Isa, KeysValues, Product, Rope, RopeFrequencies, TokenPosition,
};
use qwen3_rerank::gguf::TensorType;

const TOKENS: usize = 120;
const SIDE: usize = 1024;
const STEPS: usize = 10_000;
const TYPES: [TensorType; 15] = {
    use TensorType::*;
    [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K, IQ4NL, IQ4XS]
};
/// Those of Qwen3-Reranker-0.6B.
const HEADS: AttentionShape = AttentionShape { heads: 16, kv_heads: 8, head_dim: 128 };

/// An instruction set, shown by its name.
struct On(Isa);

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// A type of weights on an instruction set.
struct Case {
    dtype: TensorType,
    isa: Isa,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}", self.dtype, self.isa.name())
    }
}

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    pool.build_global().expect("the first pool");
    divan::main();
}

fn cases() -> Vec<Case> {
    let isas = bench::available_isas();
    let on_all = |dtype| isas.clone().into_iter().map(move |isa| Case { dtype, isa });
    TYPES.into_iter().flat_map(on_all).collect()
}

/// Values from −1 to 1 in no order.
fn values(count: usize) -> Vec<f32> {
    (0..count as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0)
        .collect()
}

/// The instruction of `product` alone, in registers.
#[divan::bench(args = bench::available_isas().into_iter().filter(|isa| bench::integers_in_a_step(*isa).is_some()).map(On))]
fn limit_of_product(bencher: Bencher<'_, '_>, on: &On) {
    let products = bench::integers_in_a_step(on.0).unwrap_or(0);
    bencher.counter(ItemsCount::new(products * STEPS)).bench(|| bench::integers(on.0, STEPS));
}

/// The multiplications and additions of `attention` and of products with F32, F16 and BF16 weights
/// alone, in registers.
#[divan::bench(args = bench::available_isas().into_iter().map(On))]
fn limit_of_floats(bencher: Bencher<'_, '_>, on: &On) {
    let items = ItemsCount::new(bench::FLOATS_IN_A_STEP * STEPS);
    bencher.counter(items).bench(|| bench::floats(on.0, STEPS));
}

/// A matrix of 1024 × 1024. No quantizer writes the types of IQ4: bytes in no order, with scales of
/// one, take as long.
fn blocks(dtype: TensorType) -> Vec<u8> {
    if !matches!(dtype, TensorType::IQ4NL | TensorType::IQ4XS) {
        return dtype.quantize(values(SIDE * SIDE), SIDE).expect("whole blocks");
    }
    let count = SIDE * SIDE / dtype.block_size();
    let bytes = values(count * dtype.block_bytes()).into_iter().map(|value| (value * 127.0) as i8);
    let mut raw: Vec<u8> = bytes.map(|byte| byte as u8).collect();
    raw.chunks_exact_mut(dtype.block_bytes())
        .for_each(|block| block[..2].copy_from_slice(&[0, 0x3c]));
    raw
}

/// 120 tokens × 1024 × 1024, the rounding of the activations included.
#[divan::bench(args = cases())]
fn product(bencher: Bencher<'_, '_>, case: &Case) {
    let raw = blocks(case.dtype);
    let product = Product::new(case.dtype, &raw, [SIDE, SIDE], case.isa);
    let x = values(TOKENS * SIDE);
    bencher.counter(ItemsCount::new(TOKENS * SIDE * SIDE)).bench_local(|| product.run(&x));
}

/// A document of so many tokens behind a prefix of 64, softmax included; all that follow run on the
/// machine's fastest isa.
#[divan::bench(args = [64, 128, 512])]
fn attention(bencher: Bencher<'_, '_>, tokens: usize) {
    const PREFIX: usize = 64;
    let kv_width = HEADS.kv_heads * HEADS.head_dim;
    let width = HEADS.heads * HEADS.head_dim;
    let [before, own] = [PREFIX, tokens].map(|tokens| values(tokens * kv_width));
    let queries = values(tokens * width);
    let rows: Vec<TokenPosition> =
        (0..tokens).map(|token| TokenPosition { start: 0, token }).collect();
    let seen: usize = (1..=tokens).map(|own| PREFIX + own).sum();
    let mut out = vec![0.0; queries.len()];
    bencher.counter(ItemsCount::new(2 * seen * width)).bench_local(|| {
        let prefix = KeysValues { keys: &before, values: &before };
        let own = KeysValues { keys: &own, values: &own };
        bench::attention(HEADS, &queries, &rows, prefix, own, &mut out);
    });
}

#[divan::bench]
fn rms_norm(bencher: Bencher<'_, '_>) {
    let (mut data, weight) = (values(TOKENS * SIDE), values(SIDE));
    let items = ItemsCount::new(data.len());
    bencher.counter(items).bench_local(|| bench::rms_norm(&mut data, &weight, 1e-6));
}

#[divan::bench]
fn rope(bencher: Bencher<'_, '_>) {
    let mut data = values(TOKENS * HEADS.heads * HEADS.head_dim);
    let rope = Rope::new(0..TOKENS, &RopeFrequencies::new(HEADS.head_dim, 1e6));
    let items = ItemsCount::new(data.len());
    bencher.counter(items).bench_local(|| rope.apply(&mut data, HEADS.heads, |token| token));
}

#[divan::bench]
fn silu_mul(bencher: Bencher<'_, '_>) {
    let up = values(TOKENS * 3 * SIDE);
    let items = ItemsCount::new(up.len());
    bencher
        .counter(items)
        .with_inputs(|| values(TOKENS * 3 * SIDE))
        .bench_local_refs(|gate| bench::silu_mul(gate, &up));
}

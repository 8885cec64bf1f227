//! The fuzz targets on a bounded number of inputs, the same in every run: damaged copies of their seeds.
//! `npm run fuzz` goes on where this ends.

#[path = "../fuzz/targets.rs"]
mod targets;

#[path = "../fuzz/seeds.rs"]
mod seeds;

/// Inputs that each target is run on.
const ROUNDS: usize = 3000;

/// A generator of numbers that look random (xorshift64*, Marsaglia 2003, Vigna 2016).
struct Numbers(u64);

impl Numbers {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end.max(1)
    }
}

/// Damages a seed in a few places: bytes set, turned, doubled, left out, or exchanged for a part of another seed.
fn damage(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=numbers.below(3) {
        let (start, length) = (numbers.below(input.len()), numbers.below(16));
        let end = (start + length).min(input.len());
        match numbers.below(6) {
            0 if start < input.len() => input[start] = numbers.below(256) as u8,
            1 if start < input.len() => input[start] ^= 1 << numbers.below(8),
            2 => input
                .splice(end..end, seed[start.min(seed.len())..end.min(seed.len())].to_vec())
                .for_each(drop),
            3 => input.drain(start..end).for_each(drop),
            4 => input.truncate(end),
            _ => {
                let from = numbers.below(other.len());
                let part = other[from..(from + length).min(other.len())].to_vec();
                input.splice(start..end, part).for_each(drop);
            }
        }
    }
    input
}

/// Runs a target on its seeds and on damaged ones.
fn run(name: &str, target: fn(&[u8])) {
    let seeds = seeds::seeds(name);
    seeds.iter().for_each(|seed| target(seed));
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        let [seed, other] = [0, 1].map(|_| &seeds[numbers.below(seeds.len())]);
        target(&damage(seed, other, &mut numbers));
    }
}

#[test]
fn damaged_gguf_headers_are_read_or_refused() {
    run("gguf_header", targets::gguf_header);
}

#[test]
fn damaged_requests_are_read_or_refused() {
    run("request_json", targets::request_json);
}

#[test]
fn any_text_has_ids_and_those_within_a_limit_are_the_first() {
    run("tokenizer", targets::tokenizer);
}

#[test]
fn damaged_templates_are_read_or_refused() {
    run("template", targets::template);
}

#[test]
fn the_seeds_are_accepted() {
    use std::io::Cursor;

    use qwen3_rerank::gguf::Reader;
    use qwen3_rerank::prompt::template::Template;
    use qwen3_rerank::prompt::tokenizer::Tokenizer;
    use qwen3_rerank::{Config, RerankRequest};

    for seed in seeds::seeds("gguf_header") {
        let reader = Reader::new(Cursor::new(seed)).unwrap();
        Config::from_gguf(&reader).unwrap();
        let tokenizer = Tokenizer::from_gguf(&reader.metadata).unwrap();
        Template::from_gguf(&reader.metadata, &tokenizer).unwrap();
    }
    for seed in seeds::seeds("request_json") {
        RerankRequest::from_json(&serde_json::from_slice(&seed).unwrap()).unwrap();
    }
}

//! Margins against llama.cpp's rank pooling, as recorded: the same ids, the same files.

use crate::golden::{GOLDEN, Llama, Model, load, margins};
use crate::margins::Errors;

/// Bound for f32 files, on the root mean square: llama.cpp keeps keys and values in f16.
const HALF_KEYS: f64 = 1e-2;
/// Bound for quantised files, as a multiple of what rounding activations costs, which
/// both do, each in its own way.
const ROUNDED: f64 = 2.0;

fn compare(model: &Model, recorded: &Llama) -> (Errors, Errors) {
    let reranker = load(&GOLDEN.file(model), 8192);
    let requests = GOLDEN.requests(&["short".to_string()]);
    let ours: Vec<f64> = requests.iter().flat_map(|request| margins(&reranker, request)).collect();
    let reference: Vec<f64> =
        model.logits.iter().map(|[yes, no]| yes - no).take(ours.len()).collect();
    (Errors::between(&ours, &recorded.margins), Errors::between(&recorded.margins, &reference))
}

#[test]
fn margins_agree_with_llama_cpp() {
    println!("\n|margin - llama.cpp's|, and llama.cpp's own distance from transformers");
    println!("type    | shape        | cases | max      | rms      | its own rms | bound (rms)");
    let mut broken = Vec::new();
    for recorded in &GOLDEN.llama {
        let same = |model: &&Model| {
            (&model.shape, &model.kind, model.seed)
                == (&recorded.shape, &recorded.kind, recorded.seed)
        };
        let model = GOLDEN.models.iter().find(same).expect("its file is among the models");
        let (ours, theirs) = compare(model, recorded);
        let simulated = model.simulation.values().map(|s| ROUNDED * s.rms).reduce(f64::max);
        let bound = simulated.unwrap_or(HALF_KEYS);
        let (kind, shape) = (&model.kind, &model.shape);
        println!(
            "{kind:7} | {shape:12} | {:5} | {:8.6} | {:8.6} | {:11.6} | {bound:.4}",
            ours.cases,
            ours.max,
            ours.rms(),
            theirs.rms()
        );
        if ours.rms() > bound {
            broken.push(format!("{kind} {shape}"));
        }
    }
    assert!(broken.is_empty(), "bound broken for {broken:?}");
}

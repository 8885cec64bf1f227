//! Margins of the committed model, to the last bit, as `tests/fixtures/untrained.mjs` recorded them:
//! what WebAssembly is held to holds natively too, whatever the processor.

use qwen3_rerank::RerankRequest;
use serde::Deserialize;

use crate::model;

#[derive(Deserialize)]
struct Case {
    query: String,
    documents: Vec<String>,
    /// By document.
    margins: Vec<f32>,
}

#[test]
fn margins_are_the_recorded_ones_to_the_last_bit() {
    let reranker = model::load(model::bytes()).unwrap();
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/untrained.json")).unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let request = RerankRequest::new(case.query, case.documents);
        let mut margins = vec![f32::NAN; case.margins.len()];
        for ranked in reranker.rerank(&request).unwrap().results {
            margins[ranked.index] = ranked.score.margin;
        }
        let bits = |margins: &[f32]| margins.iter().map(|m| m.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&margins), bits(&case.margins), "{margins:?}, not {:?}", case.margins);
    }
}

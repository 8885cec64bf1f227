//! The scoring head: found by name, put in order by its values, refused if unusable.

use qwen3_rerank::gguf::Value;
use qwen3_rerank::{Head, RerankRequest, Reranker};

use crate::model::{self, Parts, Tensor};

const LABELS: &str = "qwen3.classifier.output_labels";

fn load(change: impl FnOnce(&mut Parts)) -> Reranker {
    let mut parts = Parts::committed();
    change(&mut parts);
    model::load(&parts.to_bytes()).unwrap()
}

fn margins(reranker: &Reranker) -> Vec<f32> {
    let documents = ["Paris", "Berlin", "no idea"].map(String::from).to_vec();
    let ranking = reranker.rerank(&RerankRequest::new("capital of France", documents)).unwrap();
    let mut results = ranking.results;
    results.sort_by_key(|ranked| ranked.index);
    results.iter().map(|ranked| ranked.score.margin).collect()
}

fn labels(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|text| Value::String(text.to_string())).collect())
}

fn swap_rows(parts: &mut Parts) {
    let data = &mut parts.tensor("cls.output.weight").data;
    let half = data.len() / 2;
    data.rotate_left(half);
}

fn remove_classifier(parts: &mut Parts) {
    parts.tensors.retain(|tensor| tensor.name != "cls.output.weight");
}

/// The embedding, written again as an output matrix of its own.
fn untie(parts: &mut Parts) {
    let output =
        Tensor { name: "output.weight".into(), ..parts.tensor("token_embd.weight").clone() };
    parts.tensors.push(output);
}

#[test]
fn rows_swapped_against_their_labels_are_put_right_and_reported() {
    let whole = load(|_| {});
    assert_eq!(whole.info().head, Head::Classifier);
    assert!(whole.info().warnings.is_empty());
    let swapped = load(swap_rows);
    assert_eq!(margins(&swapped), margins(&whole));
    assert!(swapped.info().warnings[0].contains("swapped"), "{:?}", swapped.info().warnings);
    let labelled = load(|parts| *parts.value(LABELS) = labels(&["no", "yes"]));
    assert_eq!(margins(&labelled), margins(&whole));
    assert!(labelled.info().warnings[0].contains("swapped"));
}

#[test]
fn labels_count_in_their_own_order_and_unknown_ones_not_at_all() {
    let whole = load(|_| {});
    let turned = load(|parts| {
        swap_rows(parts);
        *parts.value(LABELS) = labels(&["no", "yes"]);
    });
    assert_eq!(margins(&turned), margins(&whole));
    assert!(turned.info().warnings.is_empty());
    let unknown = load(|parts| {
        swap_rows(parts);
        *parts.value(LABELS) = labels(&["LABEL_0", "LABEL_1"]);
    });
    assert_eq!(margins(&unknown), margins(&whole));
}

#[test]
fn rows_that_no_word_resembles_are_taken_by_their_labels() {
    let strange = |parts: &mut Parts| {
        let data = &mut parts.tensor("cls.output.weight").data;
        let value = |i: usize| ((i * 7 % 11) as f32 - 5.0) / 10.0;
        *data = (0..data.len() / 4).flat_map(|i| value(i).to_le_bytes()).collect();
    };
    let straight = load(strange);
    let turned = load(|parts| {
        strange(parts);
        *parts.value(LABELS) = labels(&["no", "yes"]);
    });
    let negated: Vec<f32> = margins(&turned).iter().map(|margin| -margin).collect();
    assert_eq!(margins(&straight), negated);
    let mut parts = Parts::committed();
    strange(&mut parts);
    *parts.value(LABELS) = labels(&["LABEL_0", "LABEL_1"]);
    let error = model::load(&parts.to_bytes()).map(|_| ()).unwrap_err();
    let said = "holds [\"LABEL_0\", \"LABEL_1\"], and the rows do not tell which is yes";
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn causal_files_score_with_the_words_own_rows() {
    let whole = load(|_| {});
    let tied = load(remove_classifier);
    assert_eq!(tied.info().head, Head::TiedEmbedding);
    assert_eq!(margins(&tied), margins(&whole));
    let untied = load(|parts| {
        remove_classifier(parts);
        untie(parts);
    });
    assert_eq!(untied.info().head, Head::Output);
    assert_eq!(margins(&untied), margins(&whole));
}

#[test]
fn an_output_matrix_of_another_width_is_refused() {
    let mut parts = Parts::committed();
    remove_classifier(&mut parts);
    untie(&mut parts);
    let output = parts.tensor("output.weight");
    assert_eq!(output.type_id, qwen3_rerank::gguf::TensorType::Q8_0.id());
    output.dims = vec![output.dims[0] / 3, output.dims[1] * 3];
    let error = model::load(&parts.to_bytes()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("output.weight: has shape [30846, 32]"), "{error}");
}

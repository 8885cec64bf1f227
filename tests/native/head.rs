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

/// A head of one row: that of yes less that of no, as conversions to a classifier have it.
fn one_row(parts: &mut Parts, dims: &[u64]) {
    parts.metadata.retain(|(key, _)| key != LABELS);
    let head = parts.tensor("cls.output.weight");
    let value = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    let rows: Vec<f32> = head.data.chunks(4).map(value).collect();
    let (yes, no) = rows.split_at(96);
    head.data = yes.iter().zip(no).flat_map(|(yes, no)| (yes - no).to_le_bytes()).collect();
    head.dims = dims.to_vec();
}

#[test]
fn the_logit_of_a_head_of_one_row_is_the_margin() {
    let whole = margins(&load(|_| {}));
    for dims in [&[96][..], &[96, 1], &[1, 96]] {
        let single = load(|parts| one_row(parts, dims));
        assert_eq!(single.info().head, Head::OneRow);
        assert!(single.info().head.to_string().contains("one row"));
        for (single, whole) in margins(&single).iter().zip(&whole) {
            assert!((single - whole).abs() < 1e-4, "{single}, not {whole}");
        }
    }
    let labelled = load(|parts| {
        one_row(parts, &[96]);
        parts.metadata.push((LABELS.into(), labels(&["LABEL_0"])));
    });
    assert_eq!(labelled.info().head, Head::OneRow);
}

#[test]
fn a_head_of_one_row_needs_no_word_for_its_answer() {
    let wordless = |parts: &mut Parts| {
        let merges = parts.items("tokenizer.ggml.merges");
        let makes_yes = |merge: &Value| match merge {
            Value::String(merge) => merge.replace(' ', "") == "yes",
            _ => false,
        };
        merges.retain(|merge| !makes_yes(merge));
    };
    let single = load(|parts| {
        one_row(parts, &[96]);
        wordless(parts);
    });
    assert!(margins(&single).iter().all(|margin| margin.is_finite()));
}

#[test]
fn an_unusable_row_is_refused() {
    let refusal = |value: f32| {
        let mut parts = Parts::committed();
        one_row(&mut parts, &[96]);
        parts.tensor("cls.output.weight").data = value.to_le_bytes().repeat(96);
        model::load(&parts.to_bytes()).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refusal(0.0).contains("cls.output.weight: its row is all zero"));
    assert!(refusal(f32::NAN).contains("cls.output.weight: its row holds values that are not"));
}

//! The metadata that makes a model file a rerank file for llama.cpp.

use crate::gguf::Value;
use crate::model::pooling::RANK;
use crate::prompt::template;

/// The labels of the scoring rows.
pub const LABELS: &str = "qwen3.classifier.output_labels";

/// Pooling type, labels of the two scoring rows, and the rerank template.
pub fn rerank_metadata() -> Vec<(String, Value)> {
    let texts = |texts: &[&str]| {
        Value::Array(texts.iter().map(|text| Value::String(text.to_string())).collect())
    };
    vec![
        ("qwen3.pooling_type".into(), Value::U32(RANK)),
        (LABELS.into(), texts(&[template::YES, template::NO])),
        ("tokenizer.chat_templates".into(), texts(&["rerank"])),
        ("tokenizer.chat_template.rerank".into(), Value::String(template::text())),
    ]
}

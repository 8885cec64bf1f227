//! Reading a request's options from JSON, and what to say of those without a use here.

use serde_json::{Map, Value};

use super::fields::{count, field, flag, text, type_name};
use super::request::RerankRequest;
use super::warning::Warning;
use crate::error::escape;
use crate::{Error, Result};

/// Options of other services that bear on scores or results, with why they have no effect here.
const UNUSED: [(&str, &str); 5] = [
    ("max_chunks_per_doc", "a document is scored as one text, cut to fit"),
    ("overlap_tokens", "a document is scored as one text, cut to fit"),
    ("truncate_prompt_tokens", "max_tokens_per_doc cuts documents"),
    ("truncation_direction", "documents are cut at their end"),
    ("chat_template", "the prompt is the model's own"),
];

impl RerankRequest {
    /// Reads all fields but the query and the documents.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] or [`Error::InvalidValue`] naming the field.
    pub(crate) fn read_options(&mut self, fields: &Map<String, Value>) -> Result<()> {
        self.model = text(fields, &["model"])?.filter(|name| !name.trim().is_empty());
        self.top_n = count(fields, &["top_n", "top_k"])?;
        self.max_tokens_per_doc = count(fields, &["max_tokens_per_doc"])?;
        self.truncate = flag(fields, &["truncate", "truncation"])?.unwrap_or(true);
        self.return_documents = flag(fields, &["return_documents", "return_text"])?.unwrap_or(true);
        self.control_tokens = flag(fields, &["control_tokens"])?.unwrap_or(false);
        self.templated = flag(fields, &["templated"])?.unwrap_or(false);
        self.raw_scores = raw_scores(fields)?;
        self.instruction = self.instruction(fields)?;
        for (name, advice) in UNUSED {
            if fields.get(name).is_some_and(|value| !is_default(name, value)) {
                self.warn_unused(name, advice);
            }
        }
        Ok(())
    }

    /// The instruction, which vLLM's clients give to the chat template.
    fn instruction(&mut self, fields: &Map<String, Value>) -> Result<Option<String>> {
        const ARGUMENTS: &str = "chat_template_kwargs";
        let own = text(fields, &["instruction", "instruct"])?;
        let Some((_, value)) = field(fields, &[ARGUMENTS])? else { return Ok(own) };
        let Value::Object(arguments) = value else {
            let reason = format!("must be an object, not {}", type_name(value));
            return Err(Error::shape(ARGUMENTS, reason));
        };
        let name = format!("{ARGUMENTS}.instruction");
        let given = match arguments.get("instruction") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                let reason = format!("must be a string, not {}", type_name(other));
                return Err(Error::shape(name, reason));
            }
        };
        if own.is_some() && given.is_some() && own != given {
            return Err(Error::value(name, "contradicts instruction; give only one of them"));
        }
        if let Some(other) = arguments.keys().find(|name| *name != "instruction") {
            let field = format!("{ARGUMENTS}.{}", escape(other));
            self.warn_unused(&field, "of the template's arguments only instruction is");
        }
        Ok(own.or(given))
    }

    fn warn_unused(&mut self, field: &str, advice: &str) {
        self.warnings.push(Warning::Unused { field: field.into(), advice: advice.into() });
    }
}

/// Whether to write margins: `raw_scores`, or vLLM's `use_activation` when false.
fn raw_scores(fields: &Map<String, Value>) -> Result<bool> {
    let raw = flag(fields, &["raw_scores"])?;
    match flag(fields, &["use_activation", "activation"])? {
        Some(activation) if raw == Some(activation) => {
            Err(Error::value("use_activation", "contradicts raw_scores; give only one of them"))
        }
        Some(activation) => Ok(!activation),
        None => Ok(raw.unwrap_or(false)),
    }
}

/// Whether a value asks for what is done anyway.
fn is_default(name: &str, value: &Value) -> bool {
    let is_right = |text: &str| text.eq_ignore_ascii_case("right");
    match name {
        // vLLM cuts prompts to what the model takes if told -1.
        "truncate_prompt_tokens" => value.is_null() || value.as_i64() == Some(-1),
        "truncation_direction" => value.is_null() || value.as_str().is_some_and(is_right),
        _ => value.is_null(),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::json;

    use super::*;

    /// A request with the given fields besides its query and document.
    fn read(mut fields: Value) -> Result<RerankRequest> {
        fields["query"] = json!("q");
        fields["documents"] = json!(["d"]);
        RerankRequest::from_json(&fields)
    }

    #[test]
    fn options_without_a_use_are_told() {
        for (fields, field) in [
            (json!({"max_chunks_per_doc": 10}), "max_chunks_per_doc"),
            (json!({"overlap_tokens": 80}), "overlap_tokens"),
            (json!({"truncate_prompt_tokens": 512}), "truncate_prompt_tokens"),
            (json!({"truncation_direction": "Left"}), "truncation_direction"),
            (json!({"chat_template": "{{ x }}"}), "chat_template"),
            (
                json!({"chat_template_kwargs": {"enable_thinking": true}}),
                "chat_template_kwargs.enable_thinking",
            ),
        ] {
            let warnings = read(fields).unwrap().warnings;
            let [warning] = &warnings[..] else { panic!("{field}: {warnings:?}") };
            assert!(
                warning.to_string().starts_with(&format!("{field} is not used; ")),
                "{warning}"
            );
        }
    }

    #[test]
    fn options_at_their_defaults_are_not_told() {
        let fields = json!({
            "max_chunks_per_doc": null, "truncate_prompt_tokens": -1, "truncation_direction": "Right",
            "chat_template_kwargs": {}, "priority": 1, "user": "u",
        });
        assert_eq!(read(fields).unwrap().warnings, []);
    }

    #[test]
    fn the_instruction_may_stand_among_the_templates_arguments() {
        let request = read(json!({"chat_template_kwargs": {"instruction": "i"}})).unwrap();
        assert_eq!(request.instruction.as_deref(), Some("i"));
        assert_eq!(request.warnings, []);
        let both = read(json!({"instruct": "i", "chat_template_kwargs": {"instruction": "i"}}));
        assert_eq!(both.unwrap().instruction.as_deref(), Some("i"));
        for (fields, message) in [
            (
                json!({"instruction": "j", "chat_template_kwargs": {"instruction": "i"}}),
                "chat_template_kwargs.instruction: contradicts instruction; give only one of them",
            ),
            (
                json!({"chat_template_kwargs": {"instruction": 1}}),
                "chat_template_kwargs.instruction: must be a string, not a number",
            ),
            (
                json!({"chat_template_kwargs": "i"}),
                "chat_template_kwargs: must be an object, not a string",
            ),
        ] {
            assert_eq!(read(fields).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn raw_scores_are_asked_for_by_their_names() {
        for (fields, raw) in [
            (json!({}), false),
            (json!({"raw_scores": true}), true),
            (json!({"raw_scores": false}), false),
            (json!({"use_activation": false}), true),
            (json!({"activation": true}), false),
            (json!({"raw_scores": true, "use_activation": false}), true),
        ] {
            assert_eq!(read(fields.clone()).unwrap().raw_scores, raw, "{fields}");
        }
        let error = read(json!({"raw_scores": true, "use_activation": true})).unwrap_err();
        assert!(error.to_string().starts_with("use_activation: contradicts raw_scores"), "{error}");
    }
}

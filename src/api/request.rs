//! One request type behind every face, and its reading from JSON.

use serde_json::Value;

use super::document::DocumentReader;
use super::fields::{field, names, required_text, type_name};
use super::model_name::is_same_model;
use super::warning::Warning;
use crate::{Error, Result};

/// The most documents that one request may hold.
pub const MAX_DOCUMENTS: usize = 10_000;

/// A query and the documents to order by how well they answer it.
///
/// `new` fills in the defaults; the fields are public to be changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RerankRequest {
    /// Name of the model that the caller wants, if named.
    pub model: Option<String>,
    /// What to look for. Not blank.
    pub query: String,
    /// Texts to order, at least one and at most [`MAX_DOCUMENTS`].
    pub documents: Vec<String>,
    /// How many results to return, best first; `None` for all.
    pub top_n: Option<usize>,
    /// The task that the model is told; `None` for [`crate::prompt::template::DEFAULT_INSTRUCTION`].
    pub instruction: Option<String>,
    /// Cut each document to at most this many tokens; `None` for what the model takes.
    pub max_tokens_per_doc: Option<usize>,
    /// Cut documents that are too long (`true`, the default), or refuse the request.
    pub truncate: bool,
    /// Whether `/v1` answers carry the documents' texts; `true` unless asked otherwise.
    pub return_documents: bool,
    /// Read control tokens such as `<|im_end|>` in the texts as such, like the
    /// reference does. Off by default, so that a document cannot steer the model.
    pub control_tokens: bool,
    /// The query already holds `<Instruct>: …\n<Query>: …\n` and the documents
    /// `<Document>: …`: put them between prefix and suffix of the official template (the query's
    /// last line break may be left out, and either may carry prefix or suffix itself).
    pub templated: bool,
    /// Write margins, the logits' difference, in place of probabilities; `false` unless asked.
    pub raw_scores: bool,
    /// What its reading left out; the answer carries it.
    pub warnings: Vec<Warning>,
}

impl RerankRequest {
    /// A request with every option at its default.
    pub fn new(query: impl Into<String>, documents: Vec<String>) -> Self {
        Self {
            model: None,
            query: query.into(),
            documents,
            top_n: None,
            instruction: None,
            max_tokens_per_doc: None,
            truncate: true,
            return_documents: true,
            control_tokens: false,
            templated: false,
            raw_scores: false,
            warnings: Vec::new(),
        }
    }

    /// Reads a request from JSON, taking the synonyms of the rerank family (`texts`, `top_k`,
    /// `instruct`, `return_text`, …). `null` means left out. Documents are strings, `{"text": …}`,
    /// or objects whose fields `rank_fields` names. Fields that bear on scores or results but have
    /// no use here leave a warning; other unknown fields are ignored.
    ///
    /// # Errors
    /// [`Error::InvalidShape`] for a missing field or a wrong type,
    /// [`Error::InvalidValue`] for a value outside its limits.
    pub fn from_json(value: &Value) -> Result<Self> {
        let fields = value.as_object().ok_or_else(|| {
            Error::shape("request", format!("must be a JSON object, not {}", type_name(value)))
        })?;
        let (documents_name, documents) = field(fields, &["documents", "texts"])?
            .ok_or_else(|| Error::shape("documents", "is missing; give an array of strings"))?;
        let query = required_text(fields, "query")?;
        let mut reader = DocumentReader::new(names(fields, "rank_fields")?)?;
        let mut request = Self::new(query, reader.read_all(documents_name, documents)?);
        request.warnings = reader.warnings();
        request.read_options(fields)?;
        request.validate()?;
        Ok(request)
    }

    /// Checks the limits that hold for every face.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] naming the field and the limit.
    pub fn validate(&self) -> Result<()> {
        if self.query.trim().is_empty() {
            return Err(Error::value("query", "is empty; give at least one character"));
        }
        if self.documents.is_empty() {
            return Err(Error::value("documents", "is empty; give at least one document"));
        }
        if self.documents.len() > MAX_DOCUMENTS {
            let reason = format!("holds {}; at most {MAX_DOCUMENTS}", self.documents.len());
            return Err(Error::value("documents", reason));
        }
        for (name, count) in
            [("top_n", self.top_n), ("max_tokens_per_doc", self.max_tokens_per_doc)]
        {
            if count == Some(0) {
                return Err(Error::value(name, "is 0; must be a whole number of at least 1"));
            }
        }
        Ok(())
    }

    /// Checks that the model asked for, if any, is one of `loaded`. Names are compared without
    /// owner, case, spaces, `-`, `_`, `.gguf` and the quantization.
    ///
    /// # Errors
    /// [`Error::UnknownModel`].
    pub fn check_model(&self, loaded: &[&str]) -> Result<()> {
        let Some(asked) = &self.model else { return Ok(()) };
        if loaded.iter().any(|name| is_same_model(name, asked)) {
            return Ok(());
        }
        Err(Error::UnknownModel { asked: asked.clone(), loaded: loaded.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(value: Value) -> (String, String) {
        let error = RerankRequest::from_json(&value).unwrap_err();
        (error.kind().to_string(), error.to_string())
    }

    #[test]
    fn documented_form_is_read() {
        let request = RerankRequest::from_json(&json!({
            "model": "Qwen3-Reranker-4B", "query": "q", "documents": ["a", {"text": "b"}],
            "top_n": 3, "return_documents": null, "unknown": 1,
        }))
        .unwrap();
        assert_eq!(request.documents, ["a", "b"]);
        assert_eq!(request.top_n, Some(3));
        assert!(request.truncate && request.return_documents && !request.templated);
    }

    #[test]
    fn synonyms_are_read() {
        let request = RerankRequest::from_json(&json!({
            "query": "q", "texts": ["a"], "top_k": 2.0, "max_tokens_per_doc": 1e300, "instruct": "i", "return_text": false,
        }))
        .unwrap();
        assert_eq!(request.top_n, Some(2));
        assert_eq!(request.max_tokens_per_doc, Some(usize::MAX));
        assert_eq!(request.instruction.as_deref(), Some("i"));
        assert!(!request.return_documents);
    }

    #[test]
    fn values_out_of_range_name_field_and_limit() {
        for bad in [json!(0), json!(-1), json!(1.5)] {
            let (kind, message) = error(json!({"query": "q", "documents": ["a"], "top_n": bad}));
            assert_eq!(kind, "invalid_value");
            assert!(message.starts_with("top_n: ") && message.contains("at least 1"), "{message}");
        }
        assert_eq!(error(json!({"query": " \n", "documents": ["a"]})).0, "invalid_value");
        assert_eq!(error(json!({"query": "q", "documents": []})).0, "invalid_value");
        let contradiction = json!({"query": "q", "documents": ["a"], "top_n": 1, "top_k": 2});
        assert!(error(contradiction).1.starts_with("top_k: contradicts top_n"));
    }

    #[test]
    fn wrong_types_name_the_field() {
        for (value, field) in [
            (json!([1]), "request"),
            (json!({"documents": ["a"]}), "query"),
            (json!({"query": 1, "documents": ["a"]}), "query"),
            (json!({"query": "q"}), "documents"),
            (json!({"query": "q", "documents": "a"}), "documents"),
            (json!({"query": "q", "documents": ["a", 1]}), "documents[1]"),
            (json!({"query": "q", "texts": [{"body": "a"}]}), "texts[0].text"),
            (json!({"query": "q", "documents": ["a"], "top_n": "3"}), "top_n"),
            (json!({"query": "q", "documents": ["a"], "truncate": "yes"}), "truncate"),
        ] {
            let (kind, message) = error(value);
            assert_eq!(kind, "invalid_shape", "{message}");
            assert!(message.starts_with(&format!("{field}: ")), "{message}");
        }
    }
}

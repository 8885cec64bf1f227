//! The crate's error type. Variants carry facts; [`Error::kind`] is the stable
//! word that HTTP and JavaScript share.

/// What can go wrong, from reading a model file to writing an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request field has the right type but a value outside its limits.
    #[error("{field}: {reason}")]
    InvalidValue {
        /// The field as the caller wrote it, such as `top_n` or `documents[3]`.
        field: String,
        /// What is wrong and what the limit is.
        reason: String,
    },
    /// A request field is missing or of another type than documented.
    #[error("{field}: {reason}")]
    InvalidShape {
        /// The field as the caller wrote it.
        field: String,
        /// What was expected and what came.
        reason: String,
    },
    /// The request names a model that is not loaded.
    #[error("model: {:?} is not loaded here; loaded: {loaded}", escape(asked))]
    UnknownModel {
        /// The name in the request.
        asked: String,
        /// The names that the caller may use.
        loaded: String,
    },
    /// The file is not a well-formed GGUF model: truncated, corrupt or foreign.
    #[error("invalid model file: {}: {}", escape(place), escape(reason))]
    InvalidModel {
        /// Where in the file: a key, a tensor or a byte offset.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// The file is well formed, but asks for what this crate does not do.
    #[error("unsupported model: {}", escape(.0))]
    UnsupportedModel(String),
    /// A score is not a finite number, so weights or activations are broken.
    #[error("the model gave a score that is not a finite number for documents[{index}]")]
    NotFinite {
        /// Index of the document in the request.
        index: usize,
    },
    /// The caller asked to stop.
    #[error("aborted")]
    Aborted,
    /// Reading or writing failed.
    #[error("{context}: {source}")]
    Io {
        /// What was being read or written.
        context: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A tensor operation failed: a bug here, or memory ran out.
    #[error("tensor operation failed: {0}")]
    Tensor(String),
}

/// Most characters that a message quotes of a file or a request.
const MAX_QUOTED: usize = 400;

/// Text of a file or a request as a message may hold it: cut to [`MAX_QUOTED`] characters, with
/// control characters, which a terminal would obey, escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_QUOTED {
            escaped.push('…');
            break;
        }
        match c.is_control() {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The stable word for this error in HTTP bodies (`error.type`) and in
    /// JavaScript (`error.kind`).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidValue { .. } => "invalid_value",
            Self::InvalidShape { .. } => "invalid_shape",
            Self::UnknownModel { .. } => "unknown_model",
            Self::InvalidModel { .. } => "invalid_model",
            Self::UnsupportedModel(_) => "unsupported_model",
            Self::NotFinite { .. } => "not_finite",
            Self::Aborted => "aborted",
            Self::Io { .. } => "io",
            Self::Tensor(_) => "internal",
        }
    }

    /// The request field at fault, where there is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::InvalidValue { field, .. } | Self::InvalidShape { field, .. } => Some(field),
            Self::UnknownModel { .. } => Some("model"),
            _ => None,
        }
    }

    pub(crate) fn value(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidValue { field: field.into(), reason: reason.into() }
    }

    pub(crate) fn shape(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidShape { field: field.into(), reason: reason.into() }
    }

    pub(crate) fn model(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidModel { place: place.into(), reason: reason.into() }
    }

    pub(crate) fn tensor(source: candle_core::Error) -> Self {
        Self::Tensor(source.to_string())
    }

    pub(crate) fn io(context: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { context: context.into(), source }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn text_of_a_file_is_cut_and_escaped_in_messages() {
        let message = Error::model("\u{1b}[31m".repeat(1000), "has a bell\u{7}").to_string();
        assert!(message.starts_with("invalid model file: \\u{1b}[31m"), "{message}");
        assert!(message.ends_with("…: has a bell\\u{7}"), "{message}");
        assert!(message.len() < 2000);
    }
}

//! What goes in and comes out: the request, its ranking, and the JSON forms of both.
//!
//! This layer knows JSON and nothing of models. Every face (JavaScript, command
//! line, HTTP) reads requests with [`RerankRequest::from_json`] and writes
//! answers with a form of [`dialect`].

pub mod dialect;
pub(crate) mod document;
pub(crate) mod fields;
#[cfg(feature = "native")]
pub(crate) mod json;
#[cfg(feature = "native")]
pub(crate) mod json_lines;
mod model_name;
mod options;
mod ranking;
mod request;
mod score;
mod warning;

pub use ranking::{Ranked, Ranking, Usage};
pub use request::{MAX_DOCUMENTS, RerankRequest};
pub use score::Score;
pub use warning::Warning;

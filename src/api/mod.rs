//! What goes in and comes out: the request, its ranking, and the JSON forms of both.
//!
//! A form knows JSON and nothing of models. Every face (JavaScript, command
//! line, HTTP) reads requests with [`RerankRequest::from_json`] and writes
//! answers with a form of [`dialect`].

pub mod dialect;
#[cfg(feature = "native")]
pub(crate) mod json_lines;
mod ranking;
mod request;
mod score;

pub use ranking::{Ranked, Ranking, Usage, Warning};
#[cfg(feature = "native")]
pub(crate) use request::text;
pub use request::{MAX_DOCUMENTS, RerankRequest};
pub use score::Score;

//! Request and response forms: the documented one and its relatives.
//!
//! A form knows JSON and nothing of models. Every face (JavaScript, command
//! line, HTTP) reads requests with [`RerankRequest::from_json`] and writes
//! answers with [`Documented`] or [`V1`].

mod request;
mod response;

#[cfg(feature = "native")]
pub(crate) use request::text;
pub use request::{MAX_DOCUMENTS, RerankRequest};
pub use response::{Documented, DocumentedResult, V1, V1Document, V1Result, V1Usage};

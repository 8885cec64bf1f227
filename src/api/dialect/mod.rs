//! The forms that answers take, a file each.
//!
//! Requests of all forms are read by one reader,
//! [`RerankRequest::from_json`](crate::RerankRequest::from_json), since their fields agree where
//! they overlap. A further form is a file here with its response, made of a request and its
//! ranking, and, where its request nests the fields otherwise, with their reading.

#[cfg(feature = "native")]
mod answer_id;
mod documented_response;
mod v1_response;

#[cfg(feature = "native")]
pub(crate) use answer_id::answer_id;
pub use documented_response::{DocumentedResponse, DocumentedResult};
pub use v1_response::{V1Document, V1Response, V1Result, V1Usage};

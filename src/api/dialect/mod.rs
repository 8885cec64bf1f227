//! The forms that requests and answers take, a file each.

#[cfg(feature = "native")]
mod answer_id;
mod documented;
mod v1;

#[cfg(feature = "native")]
pub(crate) use answer_id::answer_id;
pub use documented::{Documented, DocumentedResult};
pub use v1::{V1, V1Document, V1Result, V1Usage};

//! The forms that requests and answers take, a file each.

mod documented;
mod v1;

pub use documented::{Documented, DocumentedResult};
#[cfg(feature = "native")]
pub(crate) use v1::answer_id;
pub use v1::{V1, V1Document, V1Result, V1Usage};

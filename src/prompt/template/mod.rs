//! The prompt that a query and a document are put into: the official one, or the model file's own.

mod layout;
mod official;
mod parse;
mod piece;

pub use layout::Template;

pub use official::*;
pub use parse::parse;
pub use piece::Piece;

//! What a template is made of.

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, in which control tokens are such.
    Text(String),
    /// What precedes and what follows is tokenized apart.
    Boundary,
    /// The request's instruction.
    Instruction,
    /// The request's query.
    Query,
    /// The document.
    Document,
}

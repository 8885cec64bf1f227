//! One text of a prompt on its way to ids: template and request in their order.

use super::template;
use super::tokenizer::{Encoding, Stream, Tokenizer, piece};
use crate::RerankRequest;

/// Where the next part of a text comes from.
#[derive(Clone)]
pub enum Source {
    /// The template, in which control tokens are such.
    Template(String),
    /// What precedes and what follows is tokenized apart.
    Boundary,
    /// The instruction, by default [`template::DEFAULT_INSTRUCTION`].
    Instruction,
    /// The query.
    Query,
    /// A query that carries the template.
    TemplatedQuery(String),
    /// A document, by its index.
    Document(usize),
}

impl Source {
    /// The text, and whether control tokens in it are such.
    fn read<'a>(&'a self, request: &'a RerankRequest) -> (&'a str, bool) {
        let text = match self {
            Self::Template(text) => return (text, true),
            Self::Boundary => "",
            Self::Instruction => {
                request.instruction.as_deref().unwrap_or(template::DEFAULT_INSTRUCTION)
            }
            Self::Query => &request.query,
            Self::TemplatedQuery(text) => text,
            Self::Document(index) if request.templated => {
                template::templated_document(&request.documents[*index])
            }
            Self::Document(index) => &request.documents[*index],
        };
        (text, request.control_tokens)
    }
}

/// A text on its way to ids.
pub struct Text {
    sources: Vec<Source>,
    /// The source under way, and the bytes of it that are done.
    place: (usize, usize),
    stream: Stream,
}

impl Text {
    /// At most `limit` ids are wanted.
    pub fn new(sources: Vec<Source>, tokenizer: &Tokenizer, limit: usize) -> Self {
        Self { sources, place: (0, 0), stream: Stream::new(&tokenizer.tables, limit) }
    }

    /// Takes the next piece; the bytes of it, or `None` if all is done.
    pub fn step(&mut self, tokenizer: &Tokenizer, request: &RerankRequest) -> Option<usize> {
        let (source, at) = self.place;
        let source = self.sources.get(source).filter(|_| !self.stream.is_full())?;
        let (text, control) = source.read(request);
        let piece = piece(text, at);
        match source {
            Source::Boundary => self.stream.boundary(&tokenizer.tables),
            _ => self.stream.push(&tokenizer.tables, piece, control),
        }
        self.place.1 += piece.len();
        if self.place.1 == text.len() {
            self.place = (self.place.0 + 1, 0);
        }
        Some(piece.len())
    }

    /// The ids, once [`Text::step`] gave `None`.
    pub fn finish(self, tokenizer: &Tokenizer) -> Encoding {
        self.stream.finish(&tokenizer.tables)
    }
}

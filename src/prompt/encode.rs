//! A request's texts to the ids of its prompts, one bounded step at a time.

use std::sync::Arc;

use super::prompts::{Collector, Prompts};
use super::template::{self, Piece, Template};
use super::text::{Source, Text};
use super::tokenizer::{Encoding, Tokenizer};
use crate::{Error, RerankRequest, Result, Warning};

/// Bytes of text in one [`Encoder::step`].
const STEP_BYTES: usize = 32 << 10;

/// A request's texts on their way to ids.
pub struct Encoder {
    request: Arc<RerankRequest>,
    /// Most ids of a prompt.
    max_length: usize,
    /// Ids of a prompt that the template leaves.
    budget: usize,
    layout: Layout,
    stage: Stage,
    /// What is being tokenized.
    text: Option<Text>,
    /// Ids before a document.
    before: Vec<u32>,
    /// Ids after a document.
    after: Vec<u32>,
    prompts: Collector,
}

/// The sources of a prompt, its document left out.
struct Layout {
    before: Vec<Source>,
    /// What is tokenized with the document and precedes it.
    lead: Source,
    after: Vec<Source>,
    /// Whether `before` may be tokenized apart from the document, so that it is tokenized once.
    begins_apart: bool,
    /// Whether `after` may be.
    ends_apart: bool,
}

/// What is tokenized next.
enum Stage {
    /// What precedes all documents.
    Before,
    /// What follows all documents.
    After,
    /// The next document with what precedes it.
    Document,
    /// The next document, whose ids up to its end these are, with what follows it too.
    Whole(Vec<u32>),
}

impl Encoder {
    /// Nothing is tokenized yet. No prompt will be longer than `max_length`, which is more than
    /// the template takes.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if the request asks for what the template does not have.
    pub fn new(
        template: &Template,
        max_length: usize,
        request: Arc<RerankRequest>,
    ) -> Result<Self> {
        let own = template.own_text().is_some();
        if request.instruction.is_some() && !template.takes_instruction() {
            let reason = "this model's own prompt template has no place for one; leave it out";
            return Err(Error::value("instruction", reason));
        }
        if request.templated && own {
            let reason = "this model has a prompt template of its own; give plain texts";
            return Err(Error::value("templated", reason));
        }
        let budget = max_length - template.len();
        let layout = Layout::new(template, &request);
        let prompts = Collector::new(request.documents.len());
        let (stage, text, before, after) = (Stage::Before, None, Vec::new(), Vec::new());
        Ok(Self { request, max_length, budget, layout, stage, text, before, after, prompts })
    }

    /// Number of the request's documents.
    pub fn total(&self) -> usize {
        self.request.documents.len()
    }

    /// Tokenizes the next part of the texts; `true` while there is more.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if the query leaves a document no room, or if a document is too
    /// long and the request forbids cutting it.
    pub fn step(&mut self, tokenizer: &Tokenizer) -> Result<bool> {
        let mut bytes = 0;
        while bytes < STEP_BYTES {
            let Some(text) = &mut self.text else {
                self.text = self.next_text(tokenizer);
                if self.text.is_none() {
                    return Ok(false);
                }
                continue;
            };
            match text.step(tokenizer, &self.request) {
                // A text without bytes takes time, too.
                Some(length) => bytes += length.max(1),
                None => {
                    if let Some(text) = self.text.take() {
                        self.take(text.finish(tokenizer))?;
                    }
                }
            }
        }
        Ok(true)
    }

    fn next_text(&self, tokenizer: &Tokenizer) -> Option<Text> {
        let Layout { before, after, begins_apart, .. } = &self.layout;
        let apart = if *begins_apart { self.before.len() } else { 0 };
        let (sources, limit) = match self.stage {
            Stage::Before => (before.clone(), self.max_length),
            Stage::After => (after.clone(), self.max_length),
            _ if self.prompts.len() == self.total() => return None,
            Stage::Document => (self.document(), self.before.len() + self.document_limit() - apart),
            Stage::Whole(_) => ([self.document(), after.clone()].concat(), self.max_length - apart),
        };
        Some(Text::new(sources, tokenizer, limit))
    }

    /// The next document, and all that precedes it and is not tokenized apart.
    fn document(&self) -> Vec<Source> {
        let Layout { before, lead, begins_apart, .. } = &self.layout;
        let own = [lead.clone(), Source::Document(self.prompts.len())];
        if *begins_apart { own.into() } else { [&before[..], &own].concat() }
    }

    /// Most ids that a document may add to those before it.
    fn document_limit(&self) -> usize {
        let room = self.max_length - self.before.len() - self.after.len();
        self.request.max_tokens_per_doc.map_or(room, |limit| limit.min(room))
    }

    fn take(&mut self, encoding: Encoding) -> Result<()> {
        let Encoding { ids, truncated } = encoding;
        match std::mem::replace(&mut self.stage, Stage::Document) {
            Stage::Before => (self.before, self.stage) = (ids, Stage::After),
            Stage::After => {
                self.after = ids;
                self.check_room()?;
            }
            Stage::Document if truncated && !self.request.truncate => {
                let reason = "is too long, and truncate is false; shorten it or let it be cut";
                return Err(Error::value(format!("documents[{}]", self.prompts.len()), reason));
            }
            Stage::Document if truncated || self.layout.ends_apart => {
                self.prompts.push([ids, self.after.clone()].concat(), truncated);
            }
            Stage::Document => self.stage = Stage::Whole(ids),
            // The ids of the parts may be more than those of the whole, or fewer.
            Stage::Whole(cut) if truncated => {
                self.prompts.push([cut, self.after.clone()].concat(), false);
            }
            Stage::Whole(_) => self.prompts.push(ids, false),
        }
        Ok(())
    }

    fn check_room(&self) -> Result<()> {
        if self.before.len() + self.after.len() < self.max_length {
            return Ok(());
        }
        // Of what the caller gave, the longer is at fault.
        let (field, other) = match &self.request.instruction {
            Some(own) if own.len() > self.request.query.len() => ("instruction", "query"),
            _ => ("query", "instruction"),
        };
        let reason = format!(
            "is too long: with the {other} it takes all {} tokens that the model has for query and document",
            self.budget
        );
        Err(Error::value(field, reason))
    }

    /// The prompts, once [`Encoder::step`] gave `false`.
    pub fn finish(self) -> Prompts {
        let mut warnings = self.request.warnings.clone();
        warnings.extend(self.templated_texts());
        self.prompts.finish(self.layout.begins_apart.then_some(self.before), warnings)
    }

    /// Warns of texts that carry the template already.
    fn templated_texts(&self) -> Vec<Warning> {
        let RerankRequest { query, documents, templated, .. } = &*self.request;
        if *templated {
            return Vec::new();
        }
        let query = template::looks_templated(query).then(|| "query".to_string());
        let document = documents.iter().position(|document| template::looks_templated(document));
        let document = document.map(|index| format!("documents[{index}]"));
        [query, document]
            .into_iter()
            .flatten()
            .map(|field| Warning::AlreadyTemplated { field })
            .collect()
    }
}

impl Layout {
    fn new(template: &Template, request: &RerankRequest) -> Self {
        if request.templated {
            let query = template::templated_query(&request.query);
            return Self {
                before: vec![
                    Source::Template(template::PREFIX.into()),
                    Source::Boundary,
                    Source::TemplatedQuery(query),
                ],
                lead: Source::Template(String::new()),
                after: sources(&template.after),
                begins_apart: false,
                ends_apart: template.ends_apart,
            };
        }
        Self {
            before: sources(&template.before),
            lead: Source::Template(template.lead.clone()),
            after: sources(&template.after),
            // A control token may reach from the lead into the document.
            begins_apart: template.begins_apart && !request.control_tokens,
            ends_apart: template.ends_apart,
        }
    }
}

fn sources(pieces: &[Piece]) -> Vec<Source> {
    let source = |piece: &Piece| match piece {
        Piece::Text(text) => Source::Template(text.clone()),
        Piece::Boundary => Source::Boundary,
        Piece::Instruction => Source::Instruction,
        Piece::Query => Source::Query,
        Piece::Document => unreachable!("templates are split at the document: bug"),
    };
    pieces.iter().map(source).collect()
}

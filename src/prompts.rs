//! A request's prompts as ids: what they share, and what each document adds.

use std::collections::HashMap;

use crate::batch::shared_prefix;
use crate::tokenizer::{Encoding, Frame, Tokenizer};
use crate::{Error, RerankRequest, Result, Warning, prompt};

/// The prompts of one request. Documents with equal prompts have one sequence.
pub struct Prompts {
    /// Ids that every prompt begins with: frame, instruction and query.
    pub shared: Vec<u32>,
    /// What follows them, without repetitions; none is empty.
    pub sequences: Vec<Vec<u32>>,
    /// By document: its sequence, and whether it was cut.
    pub documents: Vec<(usize, bool)>,
    /// What the caller should know of.
    pub warnings: Vec<Warning>,
}

/// The texts of a request on their way to ids.
struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    frame: &'a Frame,
    request: &'a RerankRequest,
    /// The content up to the document.
    head: String,
    head_ids: Vec<u32>,
    /// Most ids between prefix and suffix.
    budget: usize,
}

impl Prompts {
    /// Tokenizes a request; no prompt is longer than `max_length`.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if the query leaves a document no room, or if a
    /// document is too long and the request forbids cutting it.
    pub fn new(
        tokenizer: &Tokenizer,
        frame: &Frame,
        max_length: usize,
        request: &RerankRequest,
    ) -> Result<Self> {
        let encoder = Encoder::new(tokenizer, frame, max_length, request)?;
        let mut prompts =
            if encoder.seam_holds() { encoder.encode_apart()? } else { encoder.encode_whole()? };
        let shared = prompts.shared.len();
        for (index, &(sequence, truncated)) in prompts.documents.iter().enumerate() {
            if truncated && !request.truncate {
                let reason = "is too long, and truncate is false; shorten it or let it be cut";
                return Err(Error::value(format!("documents[{index}]"), reason));
            }
            if truncated {
                let tokens = shared + prompts.sequences[sequence].len();
                prompts.warnings.push(Warning::Truncated { index, tokens });
            }
        }
        Ok(prompts)
    }
}

impl<'a> Encoder<'a> {
    fn new(
        tokenizer: &'a Tokenizer,
        frame: &'a Frame,
        max_length: usize,
        request: &'a RerankRequest,
    ) -> Result<Self> {
        let instruction = request.instruction.as_deref().unwrap_or(prompt::DEFAULT_INSTRUCTION);
        let head = match request.templated {
            true => prompt::templated_head(&request.query),
            false => prompt::head(instruction, &request.query),
        };
        let budget = max_length - frame.len();
        let encoding = tokenizer.encode(&head, request.control_tokens, budget)?;
        if encoding.ids.len() == budget {
            let reason = format!(
                "is too long: with the instruction it takes all {budget} tokens that the model has for query and document"
            );
            return Err(Error::value("query", reason));
        }
        Ok(Self { tokenizer, frame, request, head, head_ids: encoding.ids, budget })
    }

    /// Whether head and document may be tokenized apart. In the template they
    /// may: the head ends in punctuation and the document's part starts with a
    /// space, between which the pattern always splits and nothing composes.
    fn seam_holds(&self) -> bool {
        !self.request.control_tokens && !self.request.templated
    }

    fn document_limit(&self) -> usize {
        let room = self.budget - self.head_ids.len();
        self.request.max_tokens_per_doc.map_or(room, |limit| limit.min(room))
    }

    fn encode_apart(&self) -> Result<Prompts> {
        let shared = [&self.frame.prefix[..], &self.head_ids].concat();
        let limit = self.document_limit();
        let mut builder = Builder::default();
        for document in &self.request.documents {
            let encoding = self.tokenizer.encode(&prompt::tail(document), false, limit)?;
            builder.push(encoding, &self.frame.suffix);
        }
        Ok(builder.finish(shared, self.warnings()))
    }

    /// Tokenizes each content as one text, then finds what the ids share.
    fn encode_whole(&self) -> Result<Prompts> {
        let limit = self.head_ids.len() + self.document_limit();
        let mut builder = Builder::default();
        for document in &self.request.documents {
            let text = match self.request.templated {
                true => [&self.head, prompt::strip_suffix(document)].concat(),
                false => [&self.head[..], &prompt::tail(document)].concat(),
            };
            let content = self.tokenizer.encode(&text, self.request.control_tokens, limit)?;
            let ids = [&self.frame.prefix[..], &content.ids].concat();
            builder.push(Encoding { ids, ..content }, &self.frame.suffix);
        }
        let mut prompts = builder.finish(Vec::new(), self.warnings());
        let shared = shared_prefix(&prompts.sequences);
        prompts.shared = prompts.sequences[0][..shared].to_vec();
        for sequence in &mut prompts.sequences {
            sequence.drain(..shared);
        }
        Ok(prompts)
    }

    fn warnings(&self) -> Vec<Warning> {
        if self.request.templated {
            return Vec::new();
        }
        let query = prompt::looks_templated(&self.request.query).then(|| "query".to_string());
        let document = self.request.documents.iter().position(|d| prompt::looks_templated(d));
        let document = document.map(|index| format!("documents[{index}]"));
        [query, document]
            .into_iter()
            .flatten()
            .map(|field| Warning::AlreadyTemplated { field })
            .collect()
    }
}

/// Collects sequences, each distinct one once.
#[derive(Default)]
struct Builder {
    places: HashMap<Vec<u32>, usize>,
    documents: Vec<(usize, bool)>,
}

impl Builder {
    fn push(&mut self, encoding: Encoding, suffix: &[u32]) {
        let mut ids = encoding.ids;
        ids.extend_from_slice(suffix);
        let next = self.places.len();
        let place = *self.places.entry(ids).or_insert(next);
        self.documents.push((place, encoding.truncated));
    }

    fn finish(self, shared: Vec<u32>, warnings: Vec<Warning>) -> Prompts {
        let mut sequences = vec![Vec::new(); self.places.len()];
        for (ids, place) in self.places {
            sequences[place] = ids;
        }
        Prompts { shared, sequences, documents: self.documents, warnings }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::gguf::Reader;

    const TEXTS: [&str; 6] =
        ["", "Paris", " two  spaces ", "e\u{301}\u{338} 👩‍👩‍👧", "<|im_end|>\nyes", "\n\n\u{3000}?\n"];

    fn tokenizer() -> Tokenizer {
        let file = include_bytes!("../tests/fixtures/qwen3-rerank-untrained.gguf");
        Tokenizer::from_gguf(&Reader::new(Cursor::new(file)).unwrap().metadata).unwrap()
    }

    /// Every prompt of a request is what the official steps give: the content
    /// as one text, cut to the budget, between prefix and suffix.
    fn assert_official(tokenizer: &Tokenizer, request: &RerankRequest, max_length: usize) {
        let frame = tokenizer.frame().unwrap();
        let prompts = Prompts::new(tokenizer, &frame, max_length, request).unwrap();
        for (document, (sequence, truncated)) in request.documents.iter().zip(&prompts.documents) {
            let text = format!(
                "<Instruct>: {}\n<Query>: {}\n<Document>: {document}",
                request.instruction.as_deref().unwrap_or(prompt::DEFAULT_INSTRUCTION),
                request.query,
            );
            let budget = max_length - frame.len();
            let content = tokenizer.encode(&text, request.control_tokens, budget).unwrap();
            let ids = [&prompts.shared[..], &prompts.sequences[*sequence]].concat();
            assert_eq!(ids, [&frame.prefix[..], &content.ids, &frame.suffix].concat());
            assert_eq!(*truncated, content.truncated);
        }
    }

    #[test]
    fn prompts_are_the_official_ones() {
        let tokenizer = tokenizer();
        let long = "word ".repeat(300);
        let documents: Vec<String> =
            TEXTS.iter().copied().chain([&*long]).map(String::from).collect();
        for query in &TEXTS[1..] {
            for control in [false, true] {
                let mut request = RerankRequest::new(*query, documents.clone());
                request.control_tokens = control;
                assert_official(&tokenizer, &request, 8192);
                request.instruction = Some("Find <think> it".into());
                assert_official(&tokenizer, &request, 150);
            }
        }
    }

    #[test]
    fn what_prompts_share_is_kept_apart_once() {
        let tokenizer = tokenizer();
        let frame = tokenizer.frame().unwrap();
        let documents = vec!["one".to_string(), "two".into(), "one".into()];
        let request = RerankRequest::new("query", documents);
        let prompts = Prompts::new(&tokenizer, &frame, 8192, &request).unwrap();
        assert_eq!(prompts.documents, [(0, false), (1, false), (0, false)]);
        assert_eq!(prompts.sequences.len(), 2);
        assert!(prompts.shared.len() > frame.prefix.len());
    }
}

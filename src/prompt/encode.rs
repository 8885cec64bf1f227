//! A request's prompts as ids: what they share, and what each document adds.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::batch::shared_prefix;
use crate::prompt::template;
use crate::prompt::tokenizer::{Encoding, Frame, Tokenizer};
use crate::{Error, RerankRequest, Result, Warning};

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

/// Most bytes of text in one [`Encoder::step`], unless a document alone has more.
const STEP_BYTES: usize = 64 << 10;

/// A request's texts on their way to ids, some documents at a time.
pub struct Encoder {
    request: Arc<RerankRequest>,
    /// The content up to the document.
    head: String,
    head_ids: Vec<u32>,
    /// Most ids between prefix and suffix.
    budget: usize,
    /// By what makes a prompt's own part, or the whole prompt if not [`Encoder::seam_holds`].
    places: HashMap<Vec<u32>, usize>,
    documents: Vec<(usize, bool)>,
}

impl Encoder {
    /// Encodes what all prompts of a request begin with; no prompt will be longer than `max_length`.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if the query leaves a document no room.
    pub fn new(
        tokenizer: &Tokenizer,
        frame: &Frame,
        max_length: usize,
        request: Arc<RerankRequest>,
    ) -> Result<Self> {
        let instruction = request.instruction.as_deref().unwrap_or(template::DEFAULT_INSTRUCTION);
        let head = match request.templated {
            true => template::templated_head(&request.query),
            false => template::head(instruction, &request.query),
        };
        let budget = max_length - frame.len();
        let encoding = tokenizer.encode(&head, request.control_tokens, budget)?;
        if encoding.ids.len() == budget {
            // Of what the caller gave, the longer is at fault.
            let (field, other) = match &request.instruction {
                Some(own) if own.len() > request.query.len() => ("instruction", "query"),
                _ => ("query", "instruction"),
            };
            let reason = format!(
                "is too long: with the {other} it takes all {budget} tokens that the model has for query and document"
            );
            return Err(Error::value(field, reason));
        }
        let (places, documents) = (HashMap::new(), Vec::with_capacity(request.documents.len()));
        Ok(Self { request, head, head_ids: encoding.ids, budget, places, documents })
    }

    /// Number of the request's documents.
    pub fn total(&self) -> usize {
        self.request.documents.len()
    }

    /// Encodes the next documents; `true` while there are more.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if a document is too long and the request forbids cutting it.
    pub fn step(&mut self, tokenizer: &Tokenizer, frame: &Frame) -> Result<bool> {
        let mut bytes = 0;
        while let Some(document) = self.request.documents.get(self.documents.len()) {
            if bytes > 0 && bytes + document.len() > STEP_BYTES {
                return Ok(true);
            }
            bytes += document.len().max(1);
            let encoding = if self.seam_holds() {
                tokenizer.encode(&template::tail(document), false, self.document_limit())?
            } else {
                self.encode_whole(tokenizer, frame, document)?
            };
            self.push(encoding, &frame.suffix)?;
        }
        Ok(false)
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

    /// Tokenizes a content as one text.
    fn encode_whole(
        &self,
        tokenizer: &Tokenizer,
        frame: &Frame,
        document: &str,
    ) -> Result<Encoding> {
        let text = match self.request.templated {
            true => [&self.head, template::strip_suffix(document)].concat(),
            false => [&self.head[..], &template::tail(document)].concat(),
        };
        let limit = self.head_ids.len() + self.document_limit();
        let content = tokenizer.encode(&text, self.request.control_tokens, limit)?;
        Ok(Encoding { ids: [&frame.prefix[..], &content.ids].concat(), ..content })
    }

    fn push(&mut self, encoding: Encoding, suffix: &[u32]) -> Result<()> {
        if encoding.truncated && !self.request.truncate {
            let reason = "is too long, and truncate is false; shorten it or let it be cut";
            return Err(Error::value(format!("documents[{}]", self.documents.len()), reason));
        }
        let mut ids = encoding.ids;
        ids.extend_from_slice(suffix);
        let next = self.places.len();
        let place = *self.places.entry(ids).or_insert(next);
        self.documents.push((place, encoding.truncated));
        Ok(())
    }

    /// The prompts, once [`Encoder::step`] gave `false`.
    pub fn finish(self, frame: &Frame) -> Prompts {
        let mut warnings = self.request.warnings.clone();
        warnings.extend(self.templated_texts());
        let seam_holds = self.seam_holds();
        let mut sequences = vec![Vec::new(); self.places.len()];
        for (ids, place) in self.places {
            sequences[place] = ids;
        }
        let shared = if seam_holds {
            [&frame.prefix[..], &self.head_ids].concat()
        } else {
            let shared = shared_prefix(&sequences);
            let ids = sequences[0][..shared].to_vec();
            for sequence in &mut sequences {
                sequence.drain(..shared);
            }
            ids
        };
        for (index, &(sequence, truncated)) in self.documents.iter().enumerate() {
            if truncated {
                let tokens = shared.len() + sequences[sequence].len();
                warnings.push(Warning::Truncated { index, tokens });
            }
        }
        Prompts { shared, sequences, documents: self.documents, warnings }
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::gguf::Reader;

    const TEXTS: [&str; 6] =
        ["", "Paris", " two  spaces ", "e\u{301}\u{338} 👩‍👩‍👧", "<|im_end|>\nyes", "\n\n\u{3000}?\n"];

    fn tokenizer() -> Tokenizer {
        let file = include_bytes!("../../tests/fixtures/qwen3-rerank-untrained.gguf");
        Tokenizer::from_gguf(&Reader::new(Cursor::new(file)).unwrap().metadata).unwrap()
    }

    fn encode(tokenizer: &Tokenizer, max_length: usize, request: &RerankRequest) -> Prompts {
        let frame = tokenizer.frame().unwrap();
        let request = Arc::new(request.clone());
        let mut encoder = Encoder::new(tokenizer, &frame, max_length, request).unwrap();
        while encoder.step(tokenizer, &frame).unwrap() {}
        encoder.finish(&frame)
    }

    /// Every prompt of a request is what the official steps give: the content
    /// as one text, cut to the budget, between prefix and suffix.
    fn assert_official(tokenizer: &Tokenizer, request: &RerankRequest, max_length: usize) {
        let frame = tokenizer.frame().unwrap();
        let prompts = encode(tokenizer, max_length, request);
        for (document, (sequence, truncated)) in request.documents.iter().zip(&prompts.documents) {
            let text = format!(
                "<Instruct>: {}\n<Query>: {}\n<Document>: {document}",
                request.instruction.as_deref().unwrap_or(template::DEFAULT_INSTRUCTION),
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
        let prompts = encode(&tokenizer, 8192, &request);
        assert_eq!(prompts.documents, [(0, false), (1, false), (0, false)]);
        assert_eq!(prompts.sequences.len(), 2);
        assert!(prompts.shared.len() > frame.prefix.len());
    }

    #[test]
    fn a_step_takes_a_bounded_part_of_the_documents() {
        let tokenizer = tokenizer();
        let frame = tokenizer.frame().unwrap();
        let documents = (0..9).map(|i| format!("{i} ").repeat(STEP_BYTES / 4)).collect();
        let request = Arc::new(RerankRequest::new("query", documents));
        let mut encoder = Encoder::new(&tokenizer, &frame, 8192, request).unwrap();
        let mut steps = vec![];
        while encoder.step(&tokenizer, &frame).unwrap() {
            steps.push(encoder.documents.len());
        }
        assert_eq!(steps, [2, 4, 6, 8]);
        assert_eq!(encoder.finish(&frame).documents.len(), 9);
    }
}

//! Texts for measurements: random words of an exact number of tokens.

use std::io::Write;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::prompt::template::{self, OfficialIds};
use crate::prompt::tokenizer::Tokenizer;
use crate::{RerankRequest, Reranker};

/// Tokens of each query.
const QUERY: usize = 12;
/// Tokens of the instruction of each single prompt.
const INSTRUCTION: usize = 4;

/// Each one token of Qwen3's vocabulary, with the space before it.
const WORDS: [&str; 64] = [
    "people", "water", "city", "number", "house", "school", "river", "music", "light", "paper",
    "money", "story", "world", "family", "night", "state", "power", "market", "child", "road",
    "book", "color", "field", "game", "group", "hand", "head", "health", "history", "idea", "land",
    "law", "level", "line", "member", "month", "moment", "mother", "name", "office", "order",
    "party", "place", "plan", "point", "price", "problem", "question", "reason", "report",
    "result", "room", "service", "side", "space", "summer", "system", "table", "team", "time",
    "town", "value", "week", "winter",
];

/// Makes new texts for each run.
pub struct Workload<'a> {
    tokenizer: &'a Tokenizer,
    words: Words<'a>,
    /// Tokens of the template.
    template: usize,
    max_length: usize,
    /// Tokens of a single prompt, and of each document of a request.
    tokens: usize,
    documents: usize,
}

impl<'a> Workload<'a> {
    /// The numbers are checked when texts are made.
    pub fn new(reranker: &'a Reranker, tokens: usize, documents: usize) -> Result<Self> {
        let tokenizer = reranker.tokenizer();
        let words = Words { tokenizer, state: 0 };
        let template = OfficialIds::new(tokenizer)?.len();
        let max_length = reranker.info().max_length;
        Ok(Self { tokenizer, words, template, max_length, tokens, documents })
    }

    /// A request of one document whose prompt has exactly [`Self::tokens`] tokens; fails if the
    /// template, instruction and query alone have as many.
    pub fn prompt(&mut self) -> Result<RerankRequest> {
        let mut request = RerankRequest::new(self.words.text(QUERY)?, Vec::new());
        request.instruction = Some(self.words.text(INSTRUCTION)?);
        let least = self.around(&request)? + 1;
        if !(least..=self.max_length).contains(&self.tokens) {
            let most = self.max_length;
            bail!("--tokens {}: a prompt of this model has from {least} to {most}", self.tokens);
        }
        request.documents = vec![self.words.text(self.tokens + 1 - least)?];
        Ok(request)
    }

    /// A document that, with the template's end, has exactly [`Self::tokens`] tokens: those left to
    /// compute when the prefix is in the cache.
    fn own(&mut self) -> Result<String> {
        self.words.text(self.tokens - OfficialIds::new(self.tokenizer)?.suffix.len())
    }

    /// The ids of the prompt of a request's one document.
    pub fn ids(&self, request: &RerankRequest) -> Result<Vec<u32>> {
        let official = OfficialIds::new(self.tokenizer)?;
        let head = head(self.tokenizer, request)?;
        let tail = self.tokenizer.encode(
            &template::document_part(&request.documents[0]),
            false,
            usize::MAX,
        );
        Ok([official.prefix, head, tail.ids, official.suffix].concat())
    }

    /// A request of documents of [`Self::tokens`] tokens each; fails if the model does not take so many.
    pub fn request(&mut self) -> Result<RerankRequest> {
        let mut request = RerankRequest::new(self.words.text(QUERY)?, Vec::new());
        let most = self.max_length.saturating_sub(self.around(&request)?);
        if self.tokens > most {
            bail!("--tokens {}: a document of this model has {most} at most", self.tokens);
        }
        let documents = (0..self.documents).map(|_| self.words.text(self.tokens));
        request.documents = documents.collect::<Result<_>>()?;
        Ok(request)
    }

    /// Tokens of a prompt of the request without its document.
    fn around(&self, request: &RerankRequest) -> Result<usize> {
        Ok(self.template + head(self.tokenizer, request)?.len())
    }

    /// Prints the texts of `runs` runs and the ids of their prompts.
    pub fn print(mut self, runs: usize) -> Result<()> {
        let (mut prompts, mut requests) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let mut prompt = describe(self.tokenizer, &self.prompt()?)?;
            prompt["own"] = self.own()?.into();
            prompts.push(prompt);
            requests.push(describe(self.tokenizer, &self.request()?)?);
        }
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", json!({"prompts": prompts, "requests": requests}))?;
        Ok(stdout.flush()?)
    }
}

/// A request's instruction, or the default one.
fn instruction(request: &RerankRequest) -> &str {
    request.instruction.as_deref().unwrap_or(template::DEFAULT_INSTRUCTION)
}

/// Ids of the instruction and the query, between the template's start and the document.
fn head(tokenizer: &Tokenizer, request: &RerankRequest) -> Result<Vec<u32>> {
    let head = template::content_prefix(instruction(request), &request.query);
    Ok(tokenizer.encode(&head, false, usize::MAX).ids)
}

/// A request with its documents' whole prompts, as texts and as ids.
fn describe(tokenizer: &Tokenizer, request: &RerankRequest) -> Result<Value> {
    let official = OfficialIds::new(tokenizer)?;
    let head_ids = head(tokenizer, request)?;
    let head = template::content_prefix(instruction(request), &request.query);
    let (mut prompts, mut ids) = (Vec::new(), Vec::new());
    for document in &request.documents {
        let tail = template::document_part(document);
        let tail_ids = tokenizer.encode(&tail, false, usize::MAX).ids;
        prompts.push([template::PREFIX, &head, &tail, template::SUFFIX].concat());
        ids.push([&official.prefix[..], &head_ids, &tail_ids, &official.suffix].concat());
    }
    Ok(json!({
        "instruction": instruction(request),
        "query": request.query,
        "documents": request.documents,
        "prompts": prompts,
        "ids": ids,
    }))
}

/// A source of random words.
struct Words<'a> {
    tokenizer: &'a Tokenizer,
    state: u64,
}

impl Words<'_> {
    /// Words of `tokens` tokens in total, the first counted with a space before it. If a
    /// vocabulary splits a word into too many tokens, "a" takes its place.
    fn text(&mut self, tokens: usize) -> Result<String> {
        let mut text = String::new();
        let mut left = tokens;
        while left > 0 {
            let mut word = self.draw();
            let mut count = self.count(word)?;
            if count > left {
                word = "a";
                count = self.count(word)?;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
            left = left.saturating_sub(count);
        }
        Ok(text)
    }

    fn count(&self, word: &str) -> Result<usize> {
        Ok(self.tokenizer.encode(&format!(" {word}"), false, usize::MAX).ids.len())
    }

    /// Knuth's linear congruential generator, whose upper bits are the most random.
    fn draw(&mut self) -> &'static str {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        WORDS[(self.state >> 58) as usize]
    }
}

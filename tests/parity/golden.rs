//! `tests/fixtures/golden.json`, and the models that it speaks of.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::LazyLock;

use clap::ValueEnum;
use qwen3_rerank::convert::random::{self, FileType, RandomModel, Shape};
use qwen3_rerank::{LoadOptions, RerankRequest, Reranker, RopeScaling};
use serde::Deserialize;
use serde_json::Value;

/// What the reference gave.
#[derive(Deserialize)]
pub struct Golden {
    pub texts: Vec<Text>,
    pub prompts: Vec<Prompt>,
    pub requests: Vec<Request>,
    pub shapes: BTreeMap<String, Dimensions>,
    pub models: Vec<Model>,
    /// Of models whose rotary frequencies are scaled.
    pub yarn: Vec<Model>,
    #[serde(default)]
    pub large: Vec<Model>,
    #[serde(default)]
    pub llama: Vec<Llama>,
}

/// A string's ids.
#[derive(Deserialize)]
pub struct Text {
    pub text: String,
    /// With control tokens read as such.
    pub ids: Ids,
    /// As plain text, where that gives other ids.
    pub plain: Option<Ids>,
}

/// A prompt's ids.
#[derive(Deserialize)]
pub struct Prompt {
    pub query: String,
    pub document: String,
    pub instruction: Option<String>,
    pub max_length: usize,
    pub ids: Ids,
    pub plain: Option<Ids>,
}

/// Ids, or what stands for many of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Ids {
    All(Vec<u32>),
    /// `crc32` is that of the ids as little-endian numbers.
    Fingerprint {
        count: usize,
        crc32: u32,
    },
}

impl Ids {
    /// How many they are.
    pub fn len(&self) -> usize {
        match self {
            Self::All(all) => all.len(),
            Self::Fingerprint { count, .. } => *count,
        }
    }
}

impl PartialEq<[u32]> for Ids {
    fn eq(&self, ids: &[u32]) -> bool {
        match self {
            Self::All(all) => all == ids,
            &Self::Fingerprint { count, crc32 } => {
                let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
                (count, crc32) == (ids.len(), checksum(&bytes))
            }
        }
    }
}

/// A request that belongs to a set.
#[derive(Deserialize)]
pub struct Request {
    pub set: String,
    #[serde(flatten)]
    pub fields: serde_json::Map<String, Value>,
}

/// Options of the command `random`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dimensions {
    shape: Option<String>,
    layers: Option<usize>,
    hidden: Option<usize>,
    ffn: Option<usize>,
    heads: Option<usize>,
    kv_heads: Option<usize>,
    head_dim: Option<usize>,
    yarn_factor: Option<f64>,
    original_context: Option<usize>,
    untied: bool,
    no_cls: bool,
    vocabulary: Option<String>,
}

/// A random model and its logits.
#[derive(Deserialize)]
pub struct Model {
    pub shape: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub seed: u64,
    pub bytes: usize,
    pub crc32: u32,
    pub head: String,
    pub sets: Vec<String>,
    /// Yes and no, for the documents of all requests in order.
    pub logits: Vec<[f64; 2]>,
    /// What rounding activations did to the margins, by the size of its blocks.
    #[serde(default)]
    pub simulation: BTreeMap<usize, Simulation>,
}

/// Size of the errors that rounding activations makes.
#[derive(Clone, Copy, Deserialize)]
pub struct Simulation {
    pub cases: usize,
    pub rms: f64,
    pub max: f64,
}

/// What llama.cpp gave for one of the models.
#[derive(Deserialize)]
pub struct Llama {
    pub shape: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub seed: u64,
    /// Log-odds of yes, for the documents of all requests in order.
    pub margins: Vec<f64>,
}

/// The file, read once.
pub static GOLDEN: LazyLock<Golden> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../fixtures/golden.json")).expect("golden.json reads")
});

impl Golden {
    /// The requests of some sets, in order.
    pub fn requests(&self, sets: &[String]) -> Vec<RerankRequest> {
        let of_set = |set| self.requests.iter().filter(move |request| &request.set == set);
        sets.iter()
            .flat_map(of_set)
            .map(|request| RerankRequest::from_json(&request.fields.clone().into()).unwrap())
            .collect()
    }

    /// A model's file, checked to be the one that the reference read.
    pub fn file(&self, model: &Model) -> Vec<u8> {
        let file = self.shapes[&model.shape].file(&model.kind, model.seed);
        let found = (file.len(), checksum(&file));
        let Model { shape, kind, seed, .. } = model;
        let hint = "`random` has changed, so golden.json must be made anew";
        assert_eq!(found, (model.bytes, model.crc32), "{shape} {kind} seed {seed}: {hint}");
        file
    }
}

impl Dimensions {
    /// The file of the random model with these dimensions.
    pub fn file(&self, kind: &str, seed: u64) -> Vec<u8> {
        random::write(&self.model(kind, seed), Vec::new(), &mut |_, _| {}).unwrap()
    }

    fn model(&self, kind: &str, seed: u64) -> RandomModel {
        let shape = Shape::from_str(self.shape.as_deref().unwrap_or("tiny"), false).unwrap();
        let mut model = shape.model(FileType::from_str(kind, false).unwrap(), seed);
        let config = &mut model.config;
        for (place, wish) in [
            (&mut config.num_hidden_layers, self.layers),
            (&mut config.hidden_size, self.hidden),
            (&mut config.intermediate_size, self.ffn),
            (&mut config.num_attention_heads, self.heads),
            (&mut config.num_key_value_heads, self.kv_heads),
            (&mut config.head_dim, self.head_dim),
        ] {
            *place = wish.unwrap_or(*place);
        }
        config.tie_word_embeddings &= !self.untied;
        if let (Some(factor), Some(original)) = (self.yarn_factor, self.original_context) {
            config.rope_scaling = Some(RopeScaling::yarn(factor, original));
        }
        model.cls = !self.no_cls;
        if self.vocabulary.as_deref() == Some("full") {
            model.merges = None;
        }
        model
    }
}

/// Loads a model from memory.
pub fn load(file: &[u8], max_length: usize) -> Reranker {
    let mut options = LoadOptions::default();
    options.max_length = max_length;
    Reranker::load(Cursor::new(file), options, &mut |_| {}).unwrap()
}

/// Margins of a request's documents, in its order.
pub fn margins(reranker: &Reranker, request: &RerankRequest) -> Vec<f64> {
    let ranking = reranker.rerank(request).unwrap();
    let mut margins = vec![f64::NAN; request.documents.len()];
    for ranked in ranking.results {
        margins[ranked.index] = f64::from(ranked.score.margin);
    }
    margins
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

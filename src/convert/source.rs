//! What `quantize` reads from: a checkpoint folder or a GGUF model, seen alike.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use super::config_json::Kind;
use super::file_type::FileType;
use super::rerank_metadata::{LABELS, rerank_metadata};
use super::vocabulary::Vocabulary;
use crate::gguf::{Metadata, Reader, TensorType, Value, open_shards, shard_paths};
use crate::model::head::{Head, ScoringHead, ScoringRows};
use crate::model::tensors::{self, CHECKPOINT_CLASSIFIER, EMBEDDING, OUTPUT};
use crate::model::{Config, check_vocabulary, pooling, weights};
use crate::prompt::template::{self, Template};
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Result};

/// Tensors of checkpoints that follow from others.
const IGNORED: &str = "rotary_emb.inv_freq";

/// Where tensors come from.
enum Origin {
    Checkpoint(Box<Checkpoint>),
    Gguf(Reader<File>),
}

/// A model to be read in parts.
pub struct Source {
    origin: Origin,
    /// The files that it is read from.
    pub paths: Vec<PathBuf>,
    /// Its sizes and constants.
    pub config: Config,
    /// Rows of its embedding.
    pub rows: usize,
    /// Its scoring head, chosen and checked.
    pub head: ScoringHead,
    metadata: Metadata,
}

impl Source {
    /// Opens a checkpoint folder or a GGUF model, of which any file may be given if it is split.
    /// Embedding models are refused, unless `any_pooling` is set.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] and [`Error::UnsupportedModel`] for what is not
    /// a whole dense Qwen3 model, [`Error::Io`] if reading fails.
    pub fn open(from: &Path, any_pooling: bool) -> Result<Self> {
        match from.is_dir() {
            true => Self::checkpoint(from, any_pooling),
            false => Self::gguf(from, any_pooling),
        }
    }

    fn checkpoint(from: &Path, any_pooling: bool) -> Result<Self> {
        let mut checkpoint = Checkpoint::open(from, any_pooling)?;
        let config = checkpoint.config.clone();
        let rows = embedding_rows(&checkpoint)?;
        let name = from.canonicalize().unwrap_or_else(|_| from.to_path_buf());
        let name = name.file_name().map_or("model".into(), |name| name.to_string_lossy());
        let mut metadata = Metadata(config.to_metadata(&name, 0).into_iter().collect());
        let vocabulary = Vocabulary::from_tokenizer_json(&checkpoint.tokenizer()?)?.pad(rows)?;
        metadata.0.extend(vocabulary.metadata()?);
        // Before the tokenizer takes as much memory again.
        drop(vocabulary);
        let tokenizer = load(&metadata, config.tie_word_embeddings)?;
        check_checkpoint(&checkpoint, rows)?;
        let head = checkpoint_head(&mut checkpoint, &tokenizer, rows)?;
        Ok(Self {
            paths: checkpoint.paths().collect(),
            config,
            rows,
            head,
            metadata,
            origin: Origin::Checkpoint(Box::new(checkpoint)),
        })
    }

    fn gguf(from: &Path, any_pooling: bool) -> Result<Self> {
        let mut reader = Reader::from_shards(open_shards(from)?)?;
        pooling::check(&reader.metadata, any_pooling)?;
        let config = Config::from_gguf(&reader)?;
        let tokenizer = load(&reader.metadata, config.tie_word_embeddings)?;
        let head = ScoringHead::read(&mut reader, &tokenizer, config.hidden_size)?;
        let rows = reader.info(EMBEDDING)?.dims[0];
        check_vocabulary(rows, &tokenizer)?;
        for spec in tensors::all(&config, rows) {
            spec.check(reader.info(&spec.name)?)?;
        }
        tensors::refuse_unknown(reader.tensors.keys(), &config)?;
        weights::check_rope_factors(&mut reader)?;
        let metadata = reader.metadata.clone();
        let paths = shard_paths(from)?;
        Ok(Self { paths, config, rows, head, metadata, origin: Origin::Gguf(reader) })
    }

    /// The metadata for a rerank file of some type: the source's own, with
    /// what makes it a rerank file added where it lacks that.
    pub fn metadata(&self, file_type: FileType) -> Vec<(String, Value)> {
        let mut metadata = self.metadata.0.clone();
        metadata.remove("general.alignment");
        metadata.insert("general.file_type".into(), Value::U32(file_type.id()));
        metadata.insert("general.quantization_version".into(), Value::U32(2));
        let one_row = self.head.source == Head::OneRow;
        for (key, value) in rerank_metadata() {
            let replace = key.starts_with("qwen3.") || !metadata.contains_key(&key);
            if replace && !(one_row && key == LABELS) {
                metadata.insert(key, value);
            }
        }
        // In order of their keys: equal models shall give equal files.
        metadata.into_iter().collect()
    }

    /// Type of a tensor, by its GGUF name.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is missing.
    pub fn dtype(&self, name: &str) -> Result<TensorType> {
        match &self.origin {
            Origin::Checkpoint(checkpoint) => Ok(checkpoint.stored(&checkpoint_name(name))?.1),
            Origin::Gguf(reader) => Ok(reader.info(name)?.dtype),
        }
    }

    /// Reads `length` bytes of a tensor's data from byte `start` on.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is missing, [`Error::Io`] if reading fails.
    pub fn bytes(&mut self, name: &str, start: u64, length: usize) -> Result<Vec<u8>> {
        match &mut self.origin {
            Origin::Checkpoint(checkpoint) => {
                checkpoint.bytes(&checkpoint_name(name), start, length)
            }
            Origin::Gguf(reader) => reader.bytes(name, start, length),
        }
    }
}

/// What checkpoints call a tensor that GGUF files call `name`.
fn checkpoint_name(name: &str) -> String {
    tensors::checkpoint_name(name).unwrap_or_else(|| name.to_string())
}

/// Tokens of the vocabulary, by the embedding.
fn embedding_rows(checkpoint: &Checkpoint) -> Result<usize> {
    let (name, hidden) = (checkpoint_name(EMBEDDING), checkpoint.config.hidden_size);
    match checkpoint.stored(&name)?.0 {
        &[rows, width] if width == hidden => Ok(rows),
        other => {
            let reason = format!("has sizes {other:?}; [vocabulary, {hidden}] is expected");
            Err(Error::model(name, reason))
        }
    }
}

/// Every tensor must be there in its sizes, and no other: one that is not
/// known, such as a bias, would be left out of the computation.
fn check_checkpoint(checkpoint: &Checkpoint, rows: usize) -> Result<()> {
    let classifies = checkpoint.kind == Kind::Classifier;
    let mut expected = HashSet::new();
    for spec in tensors::all(&checkpoint.config, rows) {
        if classifies && spec.name == OUTPUT {
            continue;
        }
        let name = checkpoint_name(&spec.name);
        let sizes = checkpoint.stored(&name)?.0;
        if sizes != spec.shape {
            let reason = format!("has sizes {sizes:?}; {:?} are expected", spec.shape);
            return Err(Error::model(name, reason));
        }
        expected.insert(name);
    }
    let known = |name: &&str| {
        // A tied checkpoint may repeat its embedding as its output.
        expected.contains(*name)
            || *name == checkpoint_name(OUTPUT)
            || name.ends_with(IGNORED)
            || (classifies && *name == CHECKPOINT_CLASSIFIER)
    };
    match checkpoint.names().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => Err(tensors::unknown(name)),
    }
}

/// The rows of the two words, or the one row of a classifier.
fn checkpoint_head(
    checkpoint: &mut Checkpoint,
    tokenizer: &Tokenizer,
    rows: usize,
) -> Result<ScoringHead> {
    let hidden = checkpoint.config.hidden_size;
    if checkpoint.kind == Kind::Classifier {
        let sizes = checkpoint.stored(CHECKPOINT_CLASSIFIER)?.0;
        if !(sizes == [1, hidden] || sizes == [hidden]) {
            let reason = format!("has sizes {sizes:?}; [1, {hidden}] are a reranker's");
            return Err(Error::model(CHECKPOINT_CLASSIFIER, reason));
        }
        let row = checkpoint_row(checkpoint, CHECKPOINT_CLASSIFIER, 0)?;
        let rows = ScoringRows::One(row).checked(CHECKPOINT_CLASSIFIER)?;
        return Ok(ScoringHead { source: Head::OneRow, rows, warnings: Vec::new() });
    }
    let (source, name) = match checkpoint.config.tie_word_embeddings {
        true => (Head::TiedEmbedding, EMBEDDING),
        false => (Head::Output, OUTPUT),
    };
    let mut row = |word: &str| {
        let id = tokenizer.single_id(word)? as usize;
        debug_assert!(id < rows, "the vocabulary is padded to the embedding");
        checkpoint_row(checkpoint, &checkpoint_name(name), id)
    };
    let (yes, no) = (row(template::YES)?, row(template::NO)?);
    let rows = ScoringRows::YesNo { yes, no }.checked(name)?;
    Ok(ScoringHead { source, rows, warnings: Vec::new() })
}

/// A row of `hidden_size` values.
fn checkpoint_row(checkpoint: &mut Checkpoint, name: &str, row: usize) -> Result<Vec<f32>> {
    let (_, stored) = checkpoint.stored(name)?;
    let bytes = checkpoint.config.hidden_size * stored.block_bytes();
    stored.dequantize(&checkpoint.bytes(name, (row * bytes) as u64, bytes)?)
}

/// What loading makes of metadata, so that no file is written that would not load.
fn load(metadata: &Metadata, tied: bool) -> Result<Tokenizer> {
    let config = Config::from_metadata(metadata, tied)?;
    let tokenizer = Tokenizer::from_gguf(metadata)?;
    metadata.label("general.name")?;
    let template = Template::from_gguf(metadata, &tokenizer)?.len();
    let context = config.max_position_embeddings;
    if context <= template {
        let reason = format!("is {context}; the prompt template alone takes {template} tokens");
        return Err(Error::model("qwen3.context_length", reason));
    }
    Ok(tokenizer)
}

//! What `quantize` reads from: a checkpoint folder or a GGUF file, seen alike.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::architecture::{Architecture, CLS, EMBEDDING, OUTPUT, checkpoint_name, rerank_metadata};
use super::checkpoint::Checkpoint;
use super::file_type::FileType;
use super::vocabulary::Vocabulary;
use crate::gguf::{Metadata, Reader, TensorType, Value};
use crate::model::{Config, Rows, check_vocabulary};
use crate::prompt::template;
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Result};

/// Tensors of checkpoints and files that follow from others.
const IGNORED: [&str; 2] = ["rotary_emb.inv_freq", "rope_freqs.weight"];

enum Kind {
    Checkpoint(Box<Checkpoint>),
    Gguf(Reader<File>),
}

/// Where the rows for "yes" and "no" are.
pub enum HeadRows {
    /// In the output matrix, at these two rows.
    At([usize; 2]),
    /// Here: chosen, checked and put in order.
    Read(Box<Rows>),
}

/// A model to be read in parts.
pub struct Source {
    kind: Kind,
    /// The files that it is read from.
    pub paths: Vec<PathBuf>,
    /// Its dimensions.
    pub architecture: Architecture,
    /// Rows of its embedding.
    pub rows: usize,
    /// Its scoring rows.
    pub head: HeadRows,
    metadata: Metadata,
}

impl Source {
    /// Opens a checkpoint folder or a GGUF file.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] and [`Error::UnsupportedModel`] for what is not
    /// a whole dense Qwen3 model, [`Error::Io`] if reading fails.
    pub fn open(from: &Path) -> Result<Self> {
        let source = match from.is_dir() {
            true => Self::checkpoint(from)?,
            false => Self::gguf(from)?,
        };
        source.check_tensors()?;
        Ok(source)
    }

    fn checkpoint(from: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::open(from)?;
        let architecture = checkpoint.architecture;
        let name = "model.embed_tokens.weight";
        let rows = match checkpoint.stored(name)?.0 {
            &[rows, width] if width == architecture.hidden => rows,
            other => {
                let reason = format!("has sizes {other:?}; [vocabulary, {}]", architecture.hidden);
                return Err(Error::model(name, reason + " is expected"));
            }
        };
        let name = from.canonicalize().unwrap_or_else(|_| from.to_path_buf());
        let name = name.file_name().map_or("model".into(), |name| name.to_string_lossy());
        let mut metadata = Metadata(architecture.metadata(&name, 0).into_iter().collect());
        let vocabulary = Vocabulary::from_tokenizer_json(&checkpoint.tokenizer()?)?.pad(rows)?;
        metadata.0.extend(vocabulary.metadata()?);
        // Before the tokenizer takes as much memory again.
        drop(vocabulary);
        let (_, tokenizer) = load(&metadata)?;
        let answer = |word| tokenizer.single_id(word).map(|id| id as usize);
        Ok(Self {
            paths: checkpoint.paths().collect(),
            architecture,
            rows,
            head: HeadRows::At([answer(template::YES)?, answer(template::NO)?]),
            metadata,
            kind: Kind::Checkpoint(Box::new(checkpoint)),
        })
    }

    fn gguf(from: &Path) -> Result<Self> {
        let file = File::open(from).map_err(|e| Error::io(from.display().to_string(), e))?;
        let mut reader = Reader::new(file)?;
        let (config, tokenizer) = load(&reader.metadata)?;
        let head = Rows::read(&mut reader, &tokenizer, config.hidden_size)?;
        let tied = !reader.tensors.contains_key(OUTPUT);
        let rows = reader.info(EMBEDDING)?.dims[0];
        check_vocabulary(rows, &tokenizer)?;
        Ok(Self {
            paths: vec![from.to_path_buf()],
            architecture: Architecture::from_config(&config, tied),
            rows,
            head: HeadRows::Read(Box::new(head)),
            metadata: reader.metadata.clone(),
            kind: Kind::Gguf(reader),
        })
    }

    /// The metadata for a rerank file of some type: the source's own, with
    /// what makes it a rerank file added where it lacks that.
    pub fn metadata(&self, file_type: FileType) -> Vec<(String, Value)> {
        let mut metadata = self.metadata.0.clone();
        metadata.remove("general.alignment");
        metadata.insert("general.file_type".into(), Value::U32(file_type.id()));
        metadata.insert("general.quantization_version".into(), Value::U32(2));
        for (key, value) in rerank_metadata() {
            if key.starts_with("qwen3.") || !metadata.contains_key(&key) {
                metadata.insert(key, value);
            }
        }
        // In order of their keys: equal models shall give equal files.
        metadata.into_iter().collect()
    }

    /// Whether it has `cls.output.weight` of its own.
    pub fn has_cls(&self) -> bool {
        matches!(&self.kind, Kind::Gguf(reader) if reader.tensors.contains_key(CLS))
    }

    /// Type of a tensor, by its GGUF name.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is missing or not of sizes `dims`.
    pub fn dtype(&self, name: &str, dims: &[usize]) -> Result<TensorType> {
        let (found, dtype) = match &self.kind {
            Kind::Checkpoint(checkpoint) => checkpoint.stored(&self.own_name(name))?,
            Kind::Gguf(reader) => {
                let info = reader.info(name)?;
                (info.dims.as_slice(), info.dtype)
            }
        };
        if found != dims {
            let reason = format!("has sizes {found:?}; {dims:?} are expected");
            return Err(Error::model(self.own_name(name), reason));
        }
        Ok(dtype)
    }

    /// Reads `length` bytes of a tensor's data from byte `start` on.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if it is missing, [`Error::Io`] if reading fails.
    pub fn bytes(&mut self, name: &str, start: u64, length: usize) -> Result<Vec<u8>> {
        let own_name = self.own_name(name);
        match &mut self.kind {
            Kind::Checkpoint(checkpoint) => checkpoint.bytes(&own_name, start, length),
            Kind::Gguf(reader) => reader.bytes(name, start, length),
        }
    }

    /// What the source itself calls a tensor.
    fn own_name(&self, name: &str) -> String {
        match &self.kind {
            Kind::Gguf(_) => name.to_string(),
            Kind::Checkpoint(_) => checkpoint_name(name).unwrap_or_else(|| name.to_string()),
        }
    }

    /// Every tensor must be there in its sizes, and no other: one that is not
    /// known, such as a bias, would be left out of the computation.
    fn check_tensors(&self) -> Result<()> {
        let mut expected = std::collections::HashSet::new();
        for weight in self.architecture.weights(self.rows) {
            self.dtype(&weight.name, &weight.dims)?;
            expected.insert(self.own_name(&weight.name));
        }
        if self.has_cls() {
            self.dtype(CLS, &[2, self.architecture.hidden])?;
            expected.insert(CLS.to_string());
        }
        let mut names: Box<dyn Iterator<Item = &str>> = match &self.kind {
            Kind::Checkpoint(checkpoint) => Box::new(checkpoint.names()),
            Kind::Gguf(reader) => Box::new(reader.tensors.keys().map(String::as_str)),
        };
        let known = |name: &&str| {
            // A tied checkpoint may repeat its embedding under this name.
            expected.contains(*name)
                || *name == "lm_head.weight"
                || IGNORED.iter().any(|ignored| name.ends_with(ignored))
        };
        match names.find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => {
                Err(Error::UnsupportedModel(format!("{name}: dense Qwen3 has no such tensor")))
            }
        }
    }
}

/// What loading makes of metadata, so that no file is written that would not load.
fn load(metadata: &Metadata) -> Result<(Config, Tokenizer)> {
    let config = Config::from_gguf(metadata)?;
    let tokenizer = Tokenizer::from_gguf(metadata)?;
    metadata.text("general.name")?;
    let (frame, context) = (tokenizer.frame()?.len(), config.context_length);
    if context <= frame {
        let reason = format!("is {context}; the prompt's frame alone takes {frame} tokens");
        return Err(Error::model("qwen3.context_length", reason));
    }
    Ok((config, tokenizer))
}

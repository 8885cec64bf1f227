//! Seeded random models of the true architecture, for tests and benchmarks:
//! real prompt, real vocabulary (or the first part of it), no knowledge.
//!
//! Equal arguments give equal files on every platform. Each row of each tensor
//! has its own stream of random numbers, so it depends on neither the other
//! tensors nor the order of writing, and rows are made in parallel.

use std::io::Write;
use std::path::Path;

use clap::ValueEnum;

use super::chunked_writer::{Progress, encode, quantize};
pub use super::file_type::FileType;
use super::file_type::fallback;
use super::partial_file::PartialFile;
use super::random_weights::RandomTensor;
use super::rerank_metadata::rerank_metadata;
use super::vocabulary::Vocabulary;
use crate::gguf::{TensorPlan, TensorType, Value, Writer};
use crate::model::Config;
use crate::model::config_fault::ConfigFault;
use crate::model::tensors::{self, CLASSIFIER, EMBEDDING, OUTPUT};
use crate::prompt::template;
use crate::{Error, Result};

/// Merges of the tiny model: "yes" is one token, and the file stays below 2 MB.
pub const TINY_MERGES: usize = 10_000;

/// A model that [`write()`] can write.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomModel {
    /// Its sizes and constants.
    pub config: Config,
    /// How many of Qwen3's merges make its vocabulary; `None` for all.
    pub merges: Option<usize>,
    /// How its matrices are stored.
    pub file_type: FileType,
    /// Models of different seeds share no weight.
    pub seed: u64,
    /// Whether it has `cls.output.weight`, as rerank files of llama.cpp do.
    pub cls: bool,
    /// Whether an untied model has `output.weight`; one without `cls` always has.
    pub output: bool,
    /// `general.name`.
    pub name: String,
}

/// The shapes that have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Below 2 MB in Q8_0, with a cut vocabulary.
    Tiny,
    /// Qwen3-Reranker-0.6B.
    #[value(name = "0.6b")]
    Small,
    /// Qwen3-Reranker-4B.
    #[value(name = "4b")]
    Medium,
    /// Qwen3-Reranker-8B, which has untied embeddings.
    #[value(name = "8b")]
    Large,
}

impl Shape {
    /// The sizes behind the name.
    pub fn config(self) -> Config {
        let (layers, hidden_size, intermediate_size, heads, kv_heads, head_dim) = match self {
            Self::Tiny => (4, 96, 256, 4, 2, 32),
            Self::Small => (28, 1024, 3072, 16, 8, 128),
            Self::Medium => (36, 2560, 9728, 32, 8, 128),
            Self::Large => (36, 4096, 12288, 32, 8, 128),
        };
        Config {
            num_hidden_layers: layers,
            hidden_size,
            intermediate_size,
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim,
            max_position_embeddings: 40960,
            rope_theta: 1e6,
            rope_scaling: None,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: self != Self::Large,
        }
    }

    /// The model of this shape that has no further wishes.
    pub fn model(self, file_type: FileType, seed: u64) -> RandomModel {
        let name = self.to_possible_value().map_or(String::new(), |v| v.get_name().to_string());
        RandomModel {
            config: self.config(),
            merges: (self == Self::Tiny).then_some(TINY_MERGES),
            file_type,
            seed,
            cls: true,
            output: false,
            name: format!("qwen3-rerank-untrained-{name}"),
        }
    }
}

/// Writes a random model; `progress` is told of the bytes of tensor data.
///
/// # Errors
/// [`Error::InvalidValue`] for sizes that no model can have, and what
/// writing may fail with.
pub fn write<W: Write>(model: &RandomModel, sink: W, progress: Progress) -> Result<W> {
    let fault = |fault: ConfigFault| Error::value(fault.field, fault.reason);
    model.config.check().map_err(fault)?;
    let vocabulary = Vocabulary::qwen3(model.merges)?;
    let plans = plans(model, vocabulary.tokens.len());
    let total = plans.iter().map(TensorPlan::size).sum::<Result<u64>>()?;
    let mut writer = Writer::new(sink, &metadata(model, &vocabulary)?, &plans)?;
    let mut done = 0;
    for plan in &plans {
        let mut written = |bytes| {
            done += bytes;
            progress(done, total);
        };
        if plan.name == CLASSIFIER {
            let data = head_rows(model, &vocabulary)?;
            writer.append(CLASSIFIER, &data)?;
            written(data.len() as u64);
            continue;
        }
        let values = RandomTensor::new(&model.config, model.seed, plan);
        let bytes = |rows| quantize(&plan.name, values.rows(rows), plan.columns(), plan.dtype);
        encode(&mut writer, plan, Ok, bytes, written)?;
    }
    writer.finish()
}

/// Writes a random model to a file, which appears when it is complete.
///
/// # Errors
/// As [`write()`].
pub fn write_file(model: &RandomModel, path: &Path, progress: Progress) -> Result<()> {
    let (file, sink) = PartialFile::create(path)?;
    write(model, sink, progress)?;
    file.commit()
}

fn plans(model: &RandomModel, rows: usize) -> Vec<TensorPlan> {
    let config = &model.config;
    let mut plans = Vec::new();
    if model.cls {
        let dims = vec![2, config.hidden_size];
        plans.push(TensorPlan { name: CLASSIFIER.into(), dims, dtype: TensorType::F32 });
    }
    for spec in tensors::all(config, rows) {
        if spec.name == OUTPUT && model.cls && !model.output {
            continue;
        }
        plans.push(plan(model, spec.name, spec.shape));
    }
    plans
}

/// A tensor in the type that the file's type gives it.
fn plan(model: &RandomModel, name: String, dims: Vec<usize>) -> TensorPlan {
    let Config { num_hidden_layers: layers, tie_word_embeddings: tied, .. } = model.config;
    let wanted = model.file_type.wanted(&name, &dims, layers, tied);
    let mut plan = TensorPlan { name, dims, dtype: wanted };
    plan.dtype = fallback(wanted, plan.columns());
    plan
}

fn metadata(model: &RandomModel, vocabulary: &Vocabulary) -> Result<Vec<(String, Value)>> {
    let mut metadata = model.config.to_metadata(&model.name, model.file_type.id());
    metadata.extend(vocabulary.metadata()?);
    metadata.extend(rerank_metadata().into_iter().filter(|(key, _)| {
        // Without the head it is a plain causal model, whose file says nothing of ranking.
        model.cls || !key.starts_with("qwen3.")
    }));
    Ok(metadata)
}

/// The rows of "yes" and "no" as the file's full head holds (or would hold) them, in F32.
fn head_rows(model: &RandomModel, vocabulary: &Vocabulary) -> Result<Vec<u8>> {
    let Config { hidden_size: hidden, tie_word_embeddings: tied, .. } = model.config;
    let name = if tied { EMBEDDING } else { OUTPUT };
    let plan = plan(model, name.into(), vec![vocabulary.tokens.len(), hidden]);
    let (values, dtype) = (RandomTensor::new(&model.config, model.seed, &plan), plan.dtype);
    let mut data = Vec::new();
    for answer in [template::YES, template::NO] {
        let id = vocabulary.id(answer).expect("the fewest merges make both answers: bug");
        let row = quantize(name, values.rows(id..id + 1), hidden, dtype)?;
        let row = dtype.dequantize(&row)?;
        data.extend(row.iter().flat_map(|value| value.to_le_bytes()));
    }
    Ok(data)
}

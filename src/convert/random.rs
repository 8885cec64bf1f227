//! Seeded random models of the true architecture, for tests and benchmarks:
//! real prompt, real vocabulary (or the first part of it), no knowledge.
//!
//! Equal arguments give equal files on every platform. Each row of each tensor
//! has its own stream of random numbers, so it depends on neither the other
//! tensors nor the order of writing, and rows are made in parallel.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

pub use super::architecture::Architecture;
use super::architecture::{CLS, EMBEDDING, OUTPUT, rerank_metadata};
use super::chunked_writer::{Progress, encode, quantize};
pub use super::file_type::FileType;
use super::file_type::fallback;
use super::partial_file::PartialFile;
use super::random_weights::Stream;
use super::vocabulary::Vocabulary;
use crate::gguf::{TensorPlan, TensorType, Value, Writer};
use crate::prompt::template;
use crate::{Error, Result};

/// Merges of the tiny model: "yes" is one token, and the file stays below 2 MB.
const TINY_MERGES: usize = 10_000;

/// A model that [`write()`] can write.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomModel {
    /// Its dimensions.
    pub architecture: Architecture,
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
    /// The dimensions behind the name.
    pub fn architecture(self) -> Architecture {
        let (layers, hidden, ffn, heads, kv_heads, head_dim) = match self {
            Self::Tiny => (4, 96, 256, 4, 2, 32),
            Self::Small => (28, 1024, 3072, 16, 8, 128),
            Self::Medium => (36, 2560, 9728, 32, 8, 128),
            Self::Large => (36, 4096, 12288, 32, 8, 128),
        };
        Architecture {
            layers,
            hidden,
            ffn,
            heads,
            kv_heads,
            head_dim,
            tied: self != Self::Large,
            context: 40960,
            rope_base: 1e6,
            norm_eps: 1e-6,
        }
    }

    /// The model of this shape that has no further wishes.
    pub fn model(self, file_type: FileType, seed: u64) -> RandomModel {
        let name = self.to_possible_value().map_or(String::new(), |v| v.get_name().to_string());
        RandomModel {
            architecture: self.architecture(),
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
/// [`Error::InvalidValue`] for dimensions that no model can have, and what
/// writing may fail with.
pub fn write<W: Write>(model: &RandomModel, sink: W, progress: Progress) -> Result<W> {
    check(&model.architecture)?;
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
        if plan.name == CLS {
            let data = head_rows(model, &vocabulary)?;
            writer.append(CLS, &data)?;
            written(data.len() as u64);
            continue;
        }
        let stream = Stream::new(model, plan);
        let bytes = |rows| quantize(&plan.name, stream.rows(rows), plan.columns(), plan.dtype);
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

fn check(architecture: &Architecture) -> Result<()> {
    let Architecture { layers, hidden, ffn, heads, kv_heads, head_dim, context, .. } =
        *architecture;
    for (field, value, most) in [
        ("layers", layers, 1 << 10),
        ("hidden", hidden, 1 << 16),
        ("ffn", ffn, 1 << 18),
        ("heads", heads, 1 << 10),
        ("kv-heads", kv_heads, 1 << 10),
        ("head-dim", head_dim, 1 << 10),
        ("context", context, 1 << 24),
    ] {
        if !(1..=most).contains(&value) {
            return Err(Error::value(field, format!("is {value}; 1 to {most} can be")));
        }
    }
    if heads % kv_heads != 0 {
        let reason = format!("{kv_heads} does not divide the {heads} heads");
        return Err(Error::value("kv-heads", reason));
    }
    if head_dim % 2 != 0 {
        return Err(Error::value("head-dim", format!("is {head_dim}; must be even")));
    }
    Ok(())
}

fn plans(model: &RandomModel, rows: usize) -> Vec<TensorPlan> {
    let Architecture { layers, hidden, tied, .. } = model.architecture;
    let mut plans = Vec::new();
    if model.cls {
        plans.push(TensorPlan { name: CLS.into(), dims: vec![2, hidden], dtype: TensorType::F32 });
    }
    for weight in model.architecture.weights(rows) {
        if weight.name == OUTPUT && model.cls && !model.output {
            continue;
        }
        let dtype = model.file_type.wanted(&weight.name, &weight.dims, layers, tied);
        let mut plan = TensorPlan { name: weight.name, dims: weight.dims, dtype };
        plan.dtype = fallback(dtype, plan.columns());
        plans.push(plan);
    }
    plans
}

fn metadata(model: &RandomModel, vocabulary: &Vocabulary) -> Result<Vec<(String, Value)>> {
    let mut metadata = model.architecture.metadata(&model.name, model.file_type.id());
    metadata.extend(vocabulary.metadata()?);
    metadata.extend(rerank_metadata().into_iter().filter(|(key, _)| {
        // Without the head it is a plain causal model, whose file says nothing of ranking.
        model.cls || !key.starts_with("qwen3.")
    }));
    Ok(metadata)
}

/// The rows of "yes" and "no" as the file's full head holds (or would hold) them, in F32.
fn head_rows(model: &RandomModel, vocabulary: &Vocabulary) -> Result<Vec<u8>> {
    let Architecture { layers, hidden, tied, .. } = model.architecture;
    let name = if tied { EMBEDDING } else { OUTPUT };
    let dims = vec![vocabulary.tokens.len(), hidden];
    let dtype = fallback(model.file_type.wanted(name, &dims, layers, tied), hidden);
    let plan = TensorPlan { name: name.into(), dims, dtype };
    let stream = Stream::new(model, &plan);
    let mut data = Vec::new();
    for answer in [template::YES, template::NO] {
        let id = vocabulary.id(answer).expect("the fewest merges make both answers: bug");
        let row = quantize(name, stream.rows(id..id + 1), hidden, dtype)?;
        let row = dtype.dequantize(&row)?;
        data.extend(row.iter().flat_map(|value| value.to_le_bytes()));
    }
    Ok(data)
}

/// `random`: writes a seeded random model.
#[derive(Args, Clone, Debug)]
pub struct RandomArgs {
    /// Dimensions to start from.
    #[arg(long, value_enum, default_value = "tiny")]
    shape: Shape,
    /// How matrices are stored.
    #[arg(long = "type", value_enum, default_value = "q8_0")]
    file_type: FileType,
    /// Another seed gives other weights.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of layers, in place of the shape's.
    #[arg(long)]
    layers: Option<usize>,
    /// Width of the residual stream, in place of the shape's.
    #[arg(long)]
    hidden: Option<usize>,
    /// Width of the feed-forward part, in place of the shape's.
    #[arg(long)]
    ffn: Option<usize>,
    /// Number of query heads, in place of the shape's.
    #[arg(long)]
    heads: Option<usize>,
    /// Number of key and value heads, in place of the shape's.
    #[arg(long)]
    kv_heads: Option<usize>,
    /// Width of a head, in place of the shape's.
    #[arg(long)]
    head_dim: Option<usize>,
    /// Longest input in tokens that the file states.
    #[arg(long)]
    context: Option<usize>,
    /// Give the head weights of its own.
    #[arg(long, conflicts_with = "tied")]
    untied: bool,
    /// Let the embedding be the head.
    #[arg(long)]
    tied: bool,
    /// Qwen3's vocabulary: `full`, `cut`, or a number of merges.
    #[arg(long, value_parser = parse_vocabulary)]
    vocabulary: Option<Merges>,
    /// Leave out cls.output.weight: a plain causal model.
    #[arg(long)]
    no_cls: bool,
    /// Write output.weight beside cls.output.weight in an untied model.
    #[arg(long)]
    keep_output: bool,
    /// The model's name in the file.
    #[arg(long)]
    name: Option<String>,
    /// The file to write.
    out: PathBuf,
}

/// How much of the vocabulary; `None` for all of it.
#[derive(Clone, Copy, Debug)]
struct Merges(Option<usize>);

fn parse_vocabulary(text: &str) -> std::result::Result<Merges, String> {
    match text {
        "full" => Ok(Merges(None)),
        "cut" => Ok(Merges(Some(TINY_MERGES))),
        number => match number.parse() {
            Ok(count) => Ok(Merges(Some(count))),
            Err(_) => Err("must be full, cut or a number of merges".into()),
        },
    }
}

impl RandomArgs {
    /// The model that the arguments ask for.
    pub fn model(&self) -> RandomModel {
        let mut model = self.shape.model(self.file_type, self.seed);
        let shape = &mut model.architecture;
        for (dimension, wish) in [
            (&mut shape.layers, self.layers),
            (&mut shape.hidden, self.hidden),
            (&mut shape.ffn, self.ffn),
            (&mut shape.heads, self.heads),
            (&mut shape.kv_heads, self.kv_heads),
            (&mut shape.head_dim, self.head_dim),
            (&mut shape.context, self.context),
        ] {
            *dimension = wish.unwrap_or(*dimension);
        }
        shape.tied = (shape.tied || self.tied) && !self.untied;
        if let Some(Merges(merges)) = self.vocabulary {
            model.merges = merges;
        }
        model.cls = !self.no_cls;
        model.output = self.keep_output;
        if let Some(name) = &self.name {
            model.name.clone_from(name);
        }
        model
    }

    /// Writes the model, showing progress on a terminal.
    pub fn run(self) -> anyhow::Result<()> {
        let mut bar = super::progress::bar("writing");
        write_file(&self.model(), &self.out, &mut bar)?;
        Ok(())
    }
}

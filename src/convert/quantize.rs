//! Turns an official checkpoint folder, or another GGUF file, into a rerank
//! GGUF file that llama.cpp reads too. Tensors pass through in chunks, so
//! memory holds a few megabytes of the model at a time.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::chunked_writer::{Progress, encode, quantize};
pub use super::file_type::FileType;
use super::file_type::fallback;
use super::partial_file::PartialFile;
use super::source::Source;
use crate::gguf::{TensorPlan, TensorType, Writer};
use crate::model::Config;
use crate::model::tensors::{self, CLASSIFIER, EMBEDDING, OUTPUT};
use crate::{Error, Result};

/// What to write, and what to read it from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How matrices are stored; vectors and the scoring rows are always F32.
    pub file_type: FileType,
    /// How token vectors are stored, where not as the other matrices.
    pub token_embedding_type: Option<FileType>,
    /// Whether embedding models are taken too, whose scores mean nothing.
    pub any_pooling: bool,
}

impl From<FileType> for Options {
    fn from(file_type: FileType) -> Self {
        Self { file_type, token_embedding_type: None, any_pooling: false }
    }
}

impl Options {
    /// The type that `name` is decided by.
    fn type_of(self, name: &str) -> FileType {
        match name {
            EMBEDDING => self.token_embedding_type.unwrap_or(self.file_type),
            _ => self.file_type,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Number of tensors.
    pub tensors: usize,
    /// Bytes of tensor data.
    pub bytes: u64,
    /// Tensors whose rows do not fit the type.
    pub fallbacks: Vec<Fallback>,
    /// Tensors whose values had been rounded to blocks before, and were again.
    pub requantized: usize,
}

/// A tensor that could not have the type it should have had.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fallback {
    /// Its name.
    pub tensor: String,
    /// Length of its rows.
    pub columns: usize,
    /// The type that it should have had.
    pub wanted: TensorType,
    /// The type that it has.
    pub written: TensorType,
}

impl std::fmt::Display for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tensor, columns, wanted, written } = self;
        let (wanted, written) = (wanted.name(), written.name());
        write!(f, "{tensor}: rows of {columns} values do not fit {wanted}; written as {written}")
    }
}

/// Writes `out` from a checkpoint folder or a GGUF file; `progress` is told of
/// the bytes of tensor data. `out` appears when it is complete.
///
/// # Errors
/// [`Error::InvalidModel`] and [`Error::UnsupportedModel`] for what is not a
/// whole dense Qwen3 model, [`Error::InvalidValue`] if `out` is read from,
/// [`Error::Io`] if reading or writing fails.
pub fn run(
    from: &Path,
    options: impl Into<Options>,
    out: &Path,
    progress: Progress,
) -> Result<Report> {
    let options = options.into();
    let named = |error| named(from, error);
    let mut source = Source::open(from, options.any_pooling).map_err(named)?;
    let is_out = |path: &PathBuf| match (path.canonicalize(), out.canonicalize()) {
        (Ok(path), Ok(out)) => path == out,
        _ => false,
    };
    if source.paths.iter().any(is_out) {
        return Err(Error::value("out", "is a file that the model is read from"));
    }
    let (file, sink) = PartialFile::create(out)?;
    let report = convert(&mut source, options, sink, progress).map_err(named)?;
    file.commit()?;
    Ok(report)
}

/// The error with the path of the source, where it is a fault of what is in there.
fn named(from: &Path, error: Error) -> Error {
    let from = from.display();
    match error {
        Error::InvalidModel { place, reason } => Error::model(format!("{from}: {place}"), reason),
        Error::UnsupportedModel(reason) => Error::UnsupportedModel(format!("{from}: {reason}")),
        other => other,
    }
}

fn convert<W: Write>(
    source: &mut Source,
    options: Options,
    sink: W,
    progress: Progress,
) -> Result<Report> {
    let (plans, mut report) = plan(source, options)?;
    let metadata = source.metadata(options.file_type);
    let mut writer = Writer::new(sink, &metadata, &plans)?;
    let mut done = 0;
    for plan in &plans {
        let written = |bytes| {
            done += bytes;
            progress(done, report.bytes);
        };
        if plan.name == CLASSIFIER {
            write_head(source, &mut writer, written)?;
        } else {
            report.requantized += usize::from(write_tensor(source, &mut writer, plan, written)?);
        }
    }
    writer.finish()?;
    Ok(report)
}

/// The tensors to write: the scoring rows first, then all others but `output.weight`,
/// which those stand for.
fn plan(source: &Source, options: Options) -> Result<(Vec<TensorPlan>, Report)> {
    let Config { num_hidden_layers: layers, tie_word_embeddings: tied, hidden_size, .. } =
        source.config;
    let dims = vec![source.head.rows.iter().count(), hidden_size];
    let mut plans = vec![TensorPlan { name: CLASSIFIER.into(), dims, dtype: TensorType::F32 }];
    let mut report = Report::default();
    for spec in tensors::all(&source.config, source.rows) {
        if spec.name == OUTPUT {
            continue;
        }
        let wanted = options.type_of(&spec.name).wanted(&spec.name, &spec.shape, layers, tied);
        let mut plan = TensorPlan { name: spec.name, dims: spec.shape, dtype: wanted };
        plan.dtype = fallback(wanted, plan.columns());
        if plan.dtype != wanted {
            report.fallbacks.push(Fallback {
                tensor: plan.name.clone(),
                columns: plan.columns(),
                wanted,
                written: plan.dtype,
            });
        }
        plans.push(plan);
    }
    report.tensors = plans.len();
    report.bytes = plans.iter().map(TensorPlan::size).sum::<Result<u64>>()?;
    Ok((plans, report))
}

/// Converts one tensor; true if its values had been rounded to blocks before.
fn write_tensor<W: Write>(
    source: &mut Source,
    writer: &mut Writer<W>,
    plan: &TensorPlan,
    written: impl FnMut(u64),
) -> Result<bool> {
    let TensorPlan { name, dtype, .. } = plan;
    let stored = source.dtype(name)?;
    let columns = plan.columns();
    let row_bytes = columns / stored.block_size() * stored.block_bytes();
    let read = |rows: std::ops::Range<usize>| {
        source.bytes(name, (rows.start * row_bytes) as u64, rows.len() * row_bytes)
    };
    let blocks = stored.block_size() > 1;
    let bytes = |data: Vec<u8>| match blocks && stored == *dtype {
        true if stored.are_finite(&data) => Ok(data),
        true => Err(Error::model(name, "holds values that are not finite")),
        false => quantize(name, stored.dequantize(&data)?, columns, *dtype),
    };
    encode(writer, plan, read, bytes, written)?;
    Ok(blocks && stored != *dtype)
}

/// Writes the scoring rows: those of "yes" and "no", in this order, or the one.
fn write_head<W: Write>(
    source: &Source,
    writer: &mut Writer<W>,
    mut written: impl FnMut(u64),
) -> Result<()> {
    for row in source.head.rows.iter() {
        let data: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        writer.append(CLASSIFIER, &data)?;
        written(data.len() as u64);
    }
    Ok(())
}

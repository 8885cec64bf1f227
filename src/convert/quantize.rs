//! Turns an official checkpoint folder, or another GGUF file, into a rerank
//! GGUF file that llama.cpp reads too. Tensors pass through in chunks, so
//! memory holds a few megabytes of the model at a time.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::architecture::{CLS, EMBEDDING, OUTPUT};
use super::chunked_writer::{Progress, encode, quantize};
use super::file_type::{FileType, fallback};
use super::partial_file::PartialFile;
use super::source::{HeadRows, Source};
use crate::cli::eprint_line;
use crate::gguf::{TensorPlan, TensorType, Writer};
use crate::model::{Head, Rows};
use crate::{Error, Result};

/// What to store matrices as; vectors and the head's two rows are always F32.
#[derive(Args, Clone, Copy, Debug)]
pub struct Types {
    /// How matrices are stored.
    #[arg(long = "type", value_enum)]
    pub file_type: FileType,
    /// How token vectors are stored, where not as the other matrices: any of --type's values.
    #[arg(long, value_name = "TYPE", value_enum, hide_possible_values = true)]
    pub token_embedding_type: Option<FileType>,
}

impl From<FileType> for Types {
    fn from(file_type: FileType) -> Self {
        Self { file_type, token_embedding_type: None }
    }
}

impl Types {
    /// The type that `name` is decided by.
    fn of(self, name: &str) -> FileType {
        if name == EMBEDDING {
            self.token_embedding_type.unwrap_or(self.file_type)
        } else {
            self.file_type
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
pub fn run(from: &Path, types: impl Into<Types>, out: &Path, progress: Progress) -> Result<Report> {
    let named = |error| named(from, error);
    let mut source = Source::open(from).map_err(named)?;
    let is_out = |path: &PathBuf| match (path.canonicalize(), out.canonicalize()) {
        (Ok(path), Ok(out)) => path == out,
        _ => false,
    };
    if source.paths.iter().any(is_out) {
        return Err(Error::value("out", "is a file that the model is read from"));
    }
    let (file, sink) = PartialFile::create(out)?;
    let report = convert(&mut source, types.into(), sink, progress).map_err(named)?;
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
    types: Types,
    sink: W,
    progress: Progress,
) -> Result<Report> {
    let (plans, mut report) = plan(source, types)?;
    let metadata = source.metadata(types.file_type);
    let mut writer = Writer::new(sink, &metadata, &plans)?;
    let mut done = 0;
    for plan in &plans {
        let written = |bytes| {
            done += bytes;
            progress(done, report.bytes);
        };
        if plan.name == CLS {
            head(source, &mut writer, written)?;
        } else {
            report.requantized += usize::from(tensor(source, &mut writer, plan, written)?);
        }
    }
    writer.finish()?;
    Ok(report)
}

/// The tensors to write: the head first, then all others but `output.weight`,
/// which the head stands for.
fn plan(source: &Source, types: Types) -> Result<(Vec<TensorPlan>, Report)> {
    let architecture = source.architecture;
    let dims = vec![2, architecture.hidden];
    let mut plans = vec![TensorPlan { name: CLS.into(), dims, dtype: TensorType::F32 }];
    let mut report = Report::default();
    for weight in architecture.weights(source.rows) {
        if weight.name == OUTPUT {
            continue;
        }
        let (layers, tied) = (architecture.layers, architecture.tied);
        let wanted = types.of(&weight.name).wanted(&weight.name, &weight.dims, layers, tied);
        let mut plan = TensorPlan { name: weight.name, dims: weight.dims, dtype: wanted };
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
fn tensor<W: Write>(
    source: &mut Source,
    writer: &mut Writer<W>,
    plan: &TensorPlan,
    written: impl FnMut(u64),
) -> Result<bool> {
    let TensorPlan { name, dims, dtype } = plan;
    let stored = source.dtype(name, dims)?;
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

/// Writes the head: the rows of "yes" and "no", in this order.
fn head<W: Write>(
    source: &mut Source,
    writer: &mut Writer<W>,
    mut written: impl FnMut(u64),
) -> Result<()> {
    let read;
    let rows: &Rows = match &source.head {
        HeadRows::Read(rows) => rows,
        &HeadRows::At(answers) => {
            read = head_rows(source, answers)?;
            &read
        }
    };
    for row in [&rows.yes, &rows.no] {
        let data: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        writer.append(CLS, &data)?;
        written(data.len() as u64);
    }
    Ok(())
}

/// The rows of "yes" and "no" in the output matrix, checked as for loading.
fn head_rows(source: &mut Source, answers: [usize; 2]) -> Result<Rows> {
    let hidden = source.architecture.hidden;
    let (head, name) = match source.architecture.tied {
        true => (Head::TiedEmbedding, EMBEDDING),
        false => (Head::Output, OUTPUT),
    };
    let stored = source.dtype(name, &[source.rows, hidden])?;
    let row_bytes = hidden / stored.block_size() * stored.block_bytes();
    let mut row = |id: usize| {
        let data = source.bytes(name, (id * row_bytes) as u64, row_bytes)?;
        stored.dequantize(&data)
    };
    let (yes, no) = (row(answers[0])?, row(answers[1])?);
    Rows { head, yes, no, warnings: Vec::new() }.checked(name)
}

/// `quantize`: makes a rerank GGUF file.
#[derive(Args, Clone, Debug)]
pub struct QuantizeArgs {
    /// Checkpoint folder (config.json, tokenizer.json, model*.safetensors) or GGUF file.
    #[arg(long, value_name = "DIR_OR_GGUF")]
    from: PathBuf,
    #[command(flatten)]
    types: Types,
    /// The file to write.
    out: PathBuf,
}

impl QuantizeArgs {
    /// Writes the file, showing progress on a terminal, and tells on standard
    /// error what its user should know.
    pub fn run(self) -> anyhow::Result<()> {
        let mut bar = super::progress::bar("quantizing");
        let report = run(&self.from, self.types, &self.out, &mut bar)?;
        for fallback in &report.fallbacks {
            eprint_line(&fallback.to_string());
        }
        if report.requantized > 0 {
            eprint_line(&format!(
                "{} tensors had been quantized before; making the file from the original \
                 checkpoint loses less",
                report.requantized
            ));
        }
        Ok(())
    }
}

//! Converts and writes tensors in chunks of rows, so that none is ever whole
//! in memory: chunks are read in order, converted in parallel, written in order.

use std::io::Write;
use std::ops::Range;

use rayon::prelude::*;

use crate::gguf::{TensorPlan, TensorType, Writer};
use crate::{Error, Result};

/// Values that one task converts: 1 MiB of F32.
const TASK: usize = 1 << 18;
/// Tasks read ahead of writing, for each thread.
const TASKS_PER_THREAD: usize = 2;
/// The largest value whose block scale an F16 surely holds.
const F16_MAX: f32 = 65504.0;

/// Bytes of tensor data written so far, and in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Writes one tensor whose rows `read` fetches, one range after the other, and
/// `bytes` turns into the plan's type, several ranges at once. `written` is
/// told of each piece's bytes.
pub fn encode<W: Write, R: Send>(
    writer: &mut Writer<W>,
    plan: &TensorPlan,
    mut read: impl FnMut(Range<usize>) -> Result<R>,
    bytes: impl Fn(R) -> Result<Vec<u8>> + Sync,
    mut written: impl FnMut(u64),
) -> Result<()> {
    let rows = plan.rows();
    let step = (TASK / plan.columns()).max(1);
    let mut starts = (0..rows).step_by(step).peekable();
    while starts.peek().is_some() {
        let tasks = starts
            .by_ref()
            .take(TASKS_PER_THREAD * rayon::current_num_threads())
            .map(|start| read(start..rows.min(start + step)))
            .collect::<Result<Vec<R>>>()?;
        let pieces = tasks.into_par_iter().map(&bytes).collect::<Result<Vec<_>>>()?;
        for piece in pieces {
            writer.append(&plan.name, &piece)?;
            written(piece.len() as u64);
        }
    }
    Ok(())
}

/// Stores rows of `columns` values as `dtype`.
///
/// # Errors
/// [`Error::InvalidModel`] for `name` if a value is not finite, or too large for the type.
pub fn quantize(
    name: &str,
    values: Vec<f32>,
    columns: usize,
    dtype: TensorType,
) -> Result<Vec<u8>> {
    let limit = match dtype {
        TensorType::F32 | TensorType::BF16 => f32::MAX,
        _ => F16_MAX,
    };
    if let Some(&value) = values.iter().find(|value| value.is_nan() || value.abs() > limit) {
        let kind = dtype.name();
        let reason = match value.is_finite() {
            true => format!("holds {value}, which is too large for {kind}"),
            false => format!("holds {value}, which is not a finite number"),
        };
        return Err(Error::model(name, reason));
    }
    dtype.quantize(values, columns)
}

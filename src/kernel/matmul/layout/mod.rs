//! How weight matrices lie in memory: packed like the file, then widened for the inner loops.
//!
//! `quant_layout` describes the packed form of each type, `decode` reads a block of a file, `pack`
//! interleaves the rows of 16 and `widen` unpacks a range of blocks to bytes and f32 scales.

mod decode;
mod dimensions;
mod pack;
mod quant_layout;
mod widen;

pub(super) use dimensions::{BLOCK, LINES, Line, ROWS, STEP};
pub(super) use pack::{BlockRange, PackedMatrix};
pub(super) use quant_layout::QuantLayout;
pub(super) use widen::{RANGE, TableLookup, WidePanel, WidenScratch};

//! The sizes that packed weights and the inner loops share.

/// Rows of the matrix in a panel.
pub const ROWS: usize = 16;
/// Inputs that share one activation scale.
pub const BLOCK: usize = 32;
/// Inputs that one 32-bit lane multiplies at once.
pub const STEP: usize = 4;
/// Lines of bytes in a block of a panel: one for each step.
pub const LINES: usize = BLOCK / STEP;

/// One step of a panel, `[ROWS, STEP]`; aligned, so that no vector load crosses cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Line(pub [u8; ROWS * STEP]);

impl Line {
    /// A line of zeros.
    pub const ZERO: Self = Self([0; ROWS * STEP]);
}

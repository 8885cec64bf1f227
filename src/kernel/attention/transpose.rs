//! Between rows of values and lanes.

use crate::kernel::lanes::{LANES, Lanes, array_from_fn};

/// Transposes rows of any length: lanes[i][lane] = rows[lane][i].
#[inline(always)]
pub fn to_lanes<L: Lanes>(rows: &[&[f32]; LANES], lanes: &mut [[f32; LANES]]) {
    let (squares, rest) = lanes.as_chunks_mut::<LANES>();
    for (index, square) in squares.iter_mut().enumerate() {
        let part = |lane: usize| &rows[lane].as_chunks().0[index];
        // SAFETY: `Isa::run` chose L for instructions that the processor has.
        #[allow(unsafe_code)]
        unsafe {
            let columns = L::transpose(array_from_fn(|lane| L::load(part(lane))));
            columns.iter().zip(square).for_each(|(column, lanes)| column.store(lanes));
        }
    }
    let first = squares.len() * LANES;
    for (lanes, index) in rest.iter_mut().zip(first..) {
        *lanes = array_from_fn(|lane| rows[lane][index]);
    }
}

/// Transposes back, at most [`LANES`] values of each row: rows[lane][i] = lanes[i][lane].
#[inline(always)]
pub fn from_lanes<L: Lanes>(lanes: &[[f32; LANES]], rows: &mut [[f32; LANES]; LANES]) {
    match <&[[f32; LANES]; LANES]>::try_from(lanes) {
        // SAFETY: `Isa::run` chose L for instructions that the processor has.
        #[allow(unsafe_code)]
        Ok(square) => unsafe {
            let columns = L::transpose(array_from_fn(|index| L::load(&square[index])));
            columns.iter().zip(rows).for_each(|(column, row)| column.store(row));
        },
        Err(_) => {
            for (index, lanes) in lanes.iter().enumerate() {
                for (row, value) in rows.iter_mut().zip(lanes) {
                    row[index] = *value;
                }
            }
        }
    }
}

//! The embedding: a row of values for each token of the vocabulary, dequantized when it is asked for.

use std::io::{Read, Seek};

use super::tensors::EMBEDDING;
use crate::gguf::{Reader, TensorType};
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Result};

/// The embedding `[vocabulary, hidden]` as the file holds it.
pub struct Embedding {
    dtype: TensorType,
    blocks: Vec<u8>,
    row_bytes: usize,
    rows: usize,
}

impl Embedding {
    /// Reads the matrix, whose shape has been checked.
    ///
    /// # Errors
    /// As [`Reader::blocks`].
    pub fn read<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Self> {
        let blocks = reader.blocks(EMBEDDING)?;
        let info = reader.info(EMBEDDING)?;
        let (dtype, rows) = (info.dtype, info.dims[0]);
        Ok(Self { dtype, row_bytes: blocks.len() / rows, blocks, rows })
    }

    /// Tokens of the vocabulary.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows of `ids`, `[ids, hidden]`.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if an id has no row.
    pub fn rows_of(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        for &id in ids {
            let start = id as usize * self.row_bytes;
            let row = self.blocks.get(start..start + self.row_bytes).ok_or_else(|| {
                let reason = format!("has {} rows, but the text holds token {id}", self.rows);
                Error::model(EMBEDDING, reason)
            })?;
            values.extend(self.dtype.dequantize(row)?);
        }
        Ok(values)
    }
}

/// Fails if an embedding of so many rows lacks a token's.
pub fn check_vocabulary(rows: usize, tokenizer: &Tokenizer) -> Result<()> {
    let tokens = tokenizer.vocabulary_size();
    if tokens > rows {
        let reason = format!("has {rows} rows for {tokens} tokens of the vocabulary");
        return Err(Error::model(EMBEDDING, reason));
    }
    Ok(())
}

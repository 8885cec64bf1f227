//! The scoring head: the output rows for "yes" and "no", or the one row of a classifier.
//!
//! A rerank conversion carries its rows as `cls.output.weight`; any other file is
//! a plain causal model, whose rows for the two words are in `output.weight`
//! or, where embeddings are tied, in `token_embd.weight`. A file without a
//! usable head is refused: answering anyway gives the same score to everything.

use std::io::{Read, Seek};

use serde::Serialize;

use super::tensors::{CLASSIFIER, EMBEDDING, OUTPUT};
use crate::gguf::{Metadata, Reader};
use crate::prompt::template;
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Result};

/// Directions that agree at least this well are the same row, rounded.
const SAME_DIRECTION: f32 = 0.5;
const LABELS: &str = "qwen3.classifier.output_labels";

/// Where the scoring rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Head {
    /// The two rows of a rerank conversion.
    #[serde(rename = "cls.output")]
    Classifier,
    /// The one row of a sequence-classification conversion, whose logit is the margin.
    #[serde(rename = "cls.output.one_row")]
    OneRow,
    /// The rows of "yes" and "no" in the output matrix.
    #[serde(rename = "output")]
    Output,
    /// The rows of "yes" and "no" in the embedding, which is tied to the output.
    #[serde(rename = "token_embd")]
    TiedEmbedding,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Classifier => "cls.output (rerank conversion)",
            Self::OneRow => "cls.output (one row: a sequence-classification conversion)",
            Self::Output => "output (rows of yes and no)",
            Self::TiedEmbedding => "token_embd (tied; rows of yes and no)",
        })
    }
}

/// The scoring rows of a model.
#[derive(Debug)]
pub struct ScoringHead {
    /// Where they come from.
    pub source: Head,
    /// The rows themselves.
    pub rows: ScoringRows,
    /// What was found amiss and put right.
    pub warnings: Vec<String>,
}

/// What the last token's hidden state is multiplied with; each row is `[hidden_size]`.
#[derive(Debug)]
pub enum ScoringRows {
    /// The margin is the logit of yes less that of no.
    YesNo {
        /// The row for "yes".
        yes: Vec<f32>,
        /// The row for "no".
        no: Vec<f32>,
    },
    /// The margin is the logit of this row.
    One(Vec<f32>),
}

impl ScoringRows {
    /// The rows in the order of files.
    #[cfg(feature = "native")]
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        let (first, second) = match self {
            Self::YesNo { yes, no } => (yes, Some(no)),
            Self::One(row) => (row, None),
        };
        std::iter::once(first).chain(second).map(Vec::as_slice)
    }

    /// The margin, from the last token's normed values `[hidden_size]`.
    pub fn margin(&self, hidden: &[f32]) -> f32 {
        // In f64, for the margin is a small difference of two long sums.
        let dot = |row: &[f32]| -> f64 {
            row.iter().zip(hidden).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        match self {
            Self::YesNo { yes, no } => (dot(yes) - dot(no)) as f32,
            Self::One(row) => dot(row) as f32,
        }
    }

    /// The rows, unless `tensor`, which they are of, makes them unusable.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if they are zero, equal or not finite.
    pub fn checked(self, tensor: &str) -> Result<Self> {
        match &self {
            Self::YesNo { yes, no } => {
                check_row(tensor, "the row for \"yes\"", yes)?;
                check_row(tensor, "the row for \"no\"", no)?;
                if yes == no {
                    let reason =
                        "the rows for \"yes\" and \"no\" are equal: every score would be 0.5";
                    return Err(Error::model(tensor, reason));
                }
            }
            Self::One(row) => check_row(tensor, "its row", row)?,
        }
        Ok(self)
    }
}

fn check_row(tensor: &str, name: &str, row: &[f32]) -> Result<()> {
    if !row.iter().all(|value| value.is_finite()) {
        return Err(Error::model(tensor, format!("{name} holds values that are not finite")));
    }
    if row.iter().all(|&value| value == 0.0) {
        return Err(Error::model(tensor, format!("{name} is all zero")));
    }
    Ok(())
}

impl ScoringHead {
    /// Chooses, reads and checks the head of a file.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if the rows are missing, not `hidden_size` wide,
    /// zero, equal or not finite.
    pub fn read<R: Read + Seek>(
        reader: &mut Reader<R>,
        tokenizer: &Tokenizer,
        hidden_size: usize,
    ) -> Result<Self> {
        match reader.tensors.get(CLASSIFIER) {
            Some(info) if info.has_shape(&[hidden_size]) => Self::read_one_row(reader),
            Some(_) => Self::read_classifier(reader, tokenizer, hidden_size),
            None => Self::read_words(reader, tokenizer, hidden_size)?.checked(),
        }
    }

    fn checked(self) -> Result<Self> {
        let tensor = match self.source {
            Head::Classifier | Head::OneRow => CLASSIFIER,
            Head::Output => OUTPUT,
            Head::TiedEmbedding => EMBEDDING,
        };
        Ok(Self { rows: self.rows.checked(tensor)?, ..self })
    }

    /// The rows of the two words in the output matrix; not yet checked.
    fn read_words<R: Read + Seek>(
        reader: &mut Reader<R>,
        tokenizer: &Tokenizer,
        hidden_size: usize,
    ) -> Result<Self> {
        let ids = (tokenizer.single_id(template::YES)?, tokenizer.single_id(template::NO)?);
        let (source, tensor) = match reader.tensors.contains_key(OUTPUT) {
            true => (Head::Output, OUTPUT),
            false => (Head::TiedEmbedding, EMBEDDING),
        };
        let dims = &reader.info(tensor)?.dims;
        if dims.len() != 2 || dims[1] != hidden_size {
            let reason = format!("has shape {dims:?}; must be [vocabulary, {hidden_size}]");
            return Err(Error::model(tensor, reason));
        }
        let yes = read_row(reader, tensor, ids.0 as usize)?;
        let no = read_row(reader, tensor, ids.1 as usize)?;
        Ok(Self { source, rows: ScoringRows::YesNo { yes, no }, warnings: Vec::new() })
    }

    /// Reads a `cls.output.weight` of one row.
    fn read_one_row<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Self> {
        if let Some(labels) = reader.metadata.texts(LABELS)?.filter(|labels| labels.len() > 1) {
            let reason = format!("holds {labels:?}, but {CLASSIFIER} has one row");
            return Err(Error::model(LABELS, reason));
        }
        let row = read_row(reader, CLASSIFIER, 0)?;
        let rows = ScoringRows::One(row);
        Self { source: Head::OneRow, rows, warnings: Vec::new() }.checked()
    }

    /// Reads a `cls.output.weight` of two rows and puts them in order. Labels have been
    /// seen the wrong way round, so the rows themselves are held against those
    /// of the two words where both point the same way.
    fn read_classifier<R: Read + Seek>(
        reader: &mut Reader<R>,
        tokenizer: &Tokenizer,
        hidden_size: usize,
    ) -> Result<Self> {
        let words = Self::read_words(reader, tokenizer, hidden_size)?;
        let dims = &reader.info(CLASSIFIER)?.dims;
        if dims[..] != [2, hidden_size] {
            let shapes = format!("[2, {hidden_size}] (yes, no) or [1, {hidden_size}]");
            let reason = format!("has shape {dims:?}; must be {shapes}");
            return Err(Error::model(CLASSIFIER, reason));
        }
        let rows = [read_row(reader, CLASSIFIER, 0)?, read_row(reader, CLASSIFIER, 1)?];
        let labelled = yes_is_first_by_labels(&reader.metadata)?;
        let yes_first = match yes_is_first_by_values(&rows, &words.rows).or(labelled) {
            Some(yes_first) => yes_first,
            None => {
                let labels = reader.metadata.texts(LABELS)?.unwrap_or_default();
                let reason = format!("holds {labels:?}, and the rows do not tell which is yes");
                return Err(Error::model(LABELS, reason));
            }
        };
        let mut warnings = Vec::new();
        if labelled.is_some_and(|labelled| labelled != yes_first) {
            warnings.push(format!(
                "the rows of {CLASSIFIER} are swapped against their labels; taken by their values"
            ));
        }
        let [first, second] = rows;
        let (yes, no) = if yes_first { (first, second) } else { (second, first) };
        let rows = ScoringRows::YesNo { yes, no };
        Self { source: Head::Classifier, rows, warnings }.checked()
    }
}

/// Whether the first row is that of "yes", if the labels tell; without labels it is.
fn yes_is_first_by_labels(metadata: &Metadata) -> Result<Option<bool>> {
    Ok(match metadata.texts(LABELS)?.as_deref() {
        None => Some(true),
        Some(["yes", "no"]) => Some(true),
        Some(["no", "yes"]) => Some(false),
        Some(_) => None,
    })
}

/// Whether the first row is that of "yes", if the rows resemble those of the two words.
fn yes_is_first_by_values(rows: &[Vec<f32>; 2], words: &ScoringRows) -> Option<bool> {
    let ScoringRows::YesNo { yes, no } = words else { return None };
    let agreement = cosine(&difference(&rows[0], &rows[1]), &difference(yes, no));
    (agreement.abs() > SAME_DIRECTION).then_some(agreement > SAME_DIRECTION)
}

/// Reads one row of a matrix, or a whole vector as row 0, as f32.
fn read_row<R: Read + Seek>(reader: &mut Reader<R>, name: &str, row: usize) -> Result<Vec<f32>> {
    let info = reader.info(name)?.clone();
    // A vector may be stored as a column.
    let column = info.dims.last() == Some(&1);
    let width = match info.dims[..] {
        [.., last] if !column => last,
        _ => info.dims.iter().product(),
    };
    let rows = info.elements() as usize / width;
    if row >= rows {
        return Err(Error::model(name, format!("has {rows} rows, but row {row} is needed")));
    }
    let length = width / info.dtype.block_size() * info.dtype.block_bytes();
    let data = reader.bytes(name, row as u64 * length as u64, length)?;
    info.dtype.dequantize(&data)
}

fn difference(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The cosine of the angle between two vectors, or 0 if one has no length.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    if cosine.is_finite() { cosine } else { 0.0 }
}

//! The scoring head: the two output rows for "yes" and "no".
//!
//! A rerank conversion carries them as `cls.output.weight`; any other file is
//! a plain causal model, whose rows for the two words are in `output.weight`
//! or, where embeddings are tied, in `token_embd.weight`. A file without a
//! usable head is refused: answering anyway gives the same score to everything.

use std::io::{Read, Seek};

use serde::Serialize;

use super::weights::read_row;
use crate::gguf::Reader;
use crate::prompt::template;
use crate::prompt::tokenizer::Tokenizer;
use crate::{Error, Result};

/// The head of a rerank conversion: rows for "yes" and "no".
pub const CLASSIFIER: &str = "cls.output.weight";
/// The output matrix of an untied model.
pub const OUTPUT: &str = "output.weight";
/// The embedding, which is the output matrix too in a tied model.
pub const EMBEDDING: &str = "token_embd.weight";

/// Directions that agree at least this well are the same row, rounded.
const SAME_DIRECTION: f32 = 0.5;

/// Where the scoring rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Head {
    /// The two rows of a rerank conversion.
    #[serde(rename = "cls.output")]
    Classifier,
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
            Self::Output => "output (rows of yes and no)",
            Self::TiedEmbedding => "token_embd (tied; rows of yes and no)",
        })
    }
}

/// The two rows, each `[hidden_size]`.
#[derive(Debug)]
pub struct Rows {
    pub head: Head,
    pub yes: Vec<f32>,
    pub no: Vec<f32>,
    /// What was found amiss and put right.
    pub warnings: Vec<String>,
}

impl Rows {
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
        let ids = (tokenizer.single_id(template::YES)?, tokenizer.single_id(template::NO)?);
        let (words, tensor) = match reader.tensors.contains_key(OUTPUT) {
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
        let rows = Self { head: words, yes, no, warnings: Vec::new() };
        if !reader.tensors.contains_key(CLASSIFIER) {
            return rows.checked(tensor);
        }
        Self::read_classifier(reader, &rows)?.checked(CLASSIFIER)
    }

    /// Reads `cls.output.weight` and puts its rows in order. Labels have been
    /// seen the wrong way round, so the rows themselves are held against those
    /// of the two words where both point the same way.
    fn read_classifier<R: Read + Seek>(reader: &mut Reader<R>, words: &Self) -> Result<Self> {
        let dims = &reader.info(CLASSIFIER)?.dims;
        if dims[..] != [2, words.yes.len()] {
            let reason = format!("has shape {dims:?}; must be [2, {}]: yes, no", words.yes.len());
            return Err(Error::model(CLASSIFIER, reason));
        }
        let rows = [read_row(reader, CLASSIFIER, 0)?, read_row(reader, CLASSIFIER, 1)?];
        let labels = reader.metadata.texts("qwen3.classifier.output_labels")?;
        let labelled_yes_first = match labels.as_deref() {
            None => Some(true),
            Some(["yes", "no"]) => Some(true),
            Some(["no", "yes"]) => Some(false),
            Some(_) => None,
        };
        let agreement = cosine(&difference(&rows[0], &rows[1]), &difference(&words.yes, &words.no));
        let measured_yes_first =
            (agreement.abs() > SAME_DIRECTION).then_some(agreement > SAME_DIRECTION);
        let yes_first = measured_yes_first.or(labelled_yes_first).ok_or_else(|| {
            let labels = labels.unwrap_or_default();
            let reason = format!("holds {labels:?}, and the rows do not tell which is yes");
            Error::model("qwen3.classifier.output_labels", reason)
        })?;
        let mut warnings = Vec::new();
        if labelled_yes_first.is_some_and(|labelled| labelled != yes_first) {
            warnings.push(format!(
                "the rows of {CLASSIFIER} are swapped against their labels; taken by their values"
            ));
        }
        let [first, second] = rows;
        let (yes, no) = if yes_first { (first, second) } else { (second, first) };
        Ok(Self { head: Head::Classifier, yes, no, warnings })
    }

    /// Logit of yes less logit of no, from the last token's normed values `[hidden_size]`.
    pub fn margin(&self, hidden: &[f32]) -> f32 {
        // In f64, for the margin is a small difference of two long sums.
        let dot = |row: &[f32]| -> f64 {
            row.iter().zip(hidden).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        (dot(&self.yes) - dot(&self.no)) as f32
    }

    /// The rows, unless `tensor`, which they are of, makes them unusable.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if they are zero, equal or not finite.
    pub fn checked(self, tensor: &str) -> Result<Self> {
        for (word, row) in [(template::YES, &self.yes), (template::NO, &self.no)] {
            if !row.iter().all(|value| value.is_finite()) {
                let reason = format!("the row for {word:?} holds values that are not finite");
                return Err(Error::model(tensor, reason));
            }
            if row.iter().all(|&value| value == 0.0) {
                return Err(Error::model(tensor, format!("the row for {word:?} is all zero")));
            }
        }
        if self.yes == self.no {
            let reason = "the rows for \"yes\" and \"no\" are equal: every score would be 0.5";
            return Err(Error::model(tensor, reason));
        }
        Ok(self)
    }
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

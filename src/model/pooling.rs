//! What a file is made for: `qwen3.pooling_type` tells a reranker from an embedding model, which
//! would load and score, but whose scores mean nothing.

use crate::gguf::Metadata;
use crate::{Error, Result};

const POOLING_TYPE: &str = "qwen3.pooling_type";
/// `enum llama_pooling_type` in llama.h: a rerank model.
#[cfg(feature = "native")]
pub(crate) const RANK: u32 = 4;

/// Refuses files that pool hidden states into embeddings, unless `any` is set.
///
/// # Errors
/// [`Error::UnsupportedModel`] with the reason, [`Error::InvalidModel`] if the key holds no number.
pub(crate) fn check(metadata: &Metadata, any: bool) -> Result<()> {
    let Some(number) = metadata.number(POOLING_TYPE)?.filter(|_| !any) else { return Ok(()) };
    let kind = match number {
        // Not stated, none (a causal model), and rank.
        -1.0 | 0.0 | 4.0 => return Ok(()),
        1.0 => "mean",
        2.0 => "first token",
        3.0 => "last token",
        _ => {
            let reason = format!(
                "{POOLING_TYPE} is {number}, which is not known: 0 (none) and 4 (rank) are rerankers'"
            );
            return Err(Error::UnsupportedModel(reason));
        }
    };
    Err(Error::UnsupportedModel(format!(
        "{POOLING_TYPE} is {number} ({kind}): it is an embedding model and no reranker, so its scores \
         would mean nothing; give a reranker, or load it all the same: --any-pooling, anyPooling in JavaScript"
    )))
}

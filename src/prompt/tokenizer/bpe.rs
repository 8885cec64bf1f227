//! What byte-pair encoding looks things up in.

use super::lexicon::Lexicon;
use super::merges::Merges;

/// The merges and the tokens of a vocabulary.
pub struct Bpe {
    pub merges: Merges,
    pub lexicon: Lexicon,
}

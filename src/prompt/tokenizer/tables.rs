//! What the stages of a tokenizer look things up in.

use super::bpe::Bpe;
use super::characters::Classes;
use super::control::ControlTokens;

/// The tables of all stages.
pub struct Tables {
    pub control: ControlTokens,
    pub classes: Classes,
    pub bpe: Bpe,
}

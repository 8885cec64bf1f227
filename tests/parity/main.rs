//! This crate against the reference: tokenizer.json's ids, and the margins of
//! transformers, candle-transformers and llama.cpp, on random models that are
//! made anew here, byte for byte as when `models/golden.py` recorded them.
//!
//! `npm run parity` prints the tables.

mod candle;
mod golden;
mod ids;
mod llama;
mod margins;

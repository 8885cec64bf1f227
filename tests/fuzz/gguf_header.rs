#![no_main]
//! libFuzzer's entry for [`targets::gguf_header`].

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::gguf_header(bytes));

#![no_main]
//! libFuzzer's entry for [`targets::tokenizer`].

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::tokenizer(bytes));

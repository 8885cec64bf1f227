#![no_main]
//! libFuzzer's entry for [`targets::template`].

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::template(bytes));

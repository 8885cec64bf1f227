#![no_main]
//! libFuzzer's entry for [`targets::request_json`].

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::request_json(bytes));

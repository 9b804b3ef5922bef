//! Fuzzes the JSON grammar, judged by serde_json.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bmt_fuzz::json(bytes));

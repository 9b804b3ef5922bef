//! Fuzzes long-polling payloads.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bmt_fuzz::engineio_payload(bytes));

//! Fuzzes frames of the raw WebSocket binding.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bmt_fuzz::raw_envelope(bytes));

//! Fuzzes Engine.IO packets and handshakes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bmt_fuzz::engineio_packet(bytes));

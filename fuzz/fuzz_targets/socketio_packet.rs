//! Fuzzes Socket.IO packets and their attachments.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bmt_fuzz::socketio_packet(bytes));

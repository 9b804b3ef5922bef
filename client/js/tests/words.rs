//! The words that the npm package repeats in TypeScript are the ones of the protocol: both are held to one file.
//!
//! `BMT_WRITE_GOLDEN=1 cargo test -p bmt-client-js --test words` writes the file anew after a table has changed.

use bmt_shared::channel::validate_channel_name;
use bmt_shared::close::{CloseCode, should_reconnect};
use bmt_shared::error::ErrorCode;
use serde_json::{Value, json};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../packages/realtime/test/words.json"
);

const CHANNEL_NAMES: &[&str] = &[
    "public:chat",
    "private:a-b_C9",
    "user:12",
    "system:metrics",
    "document:x",
    "user:1:2",
    "lobby",
    "public:",
    ":x",
    "",
    "public:a b",
    "public:频道",
    "PUBLIC:chat",
    "public:chat\n",
];

fn words() -> Value {
    let errors = ErrorCode::ALL.iter().map(
        |code| json!({ "code": code.as_str(), "number": code.number(), "retryable": code.is_retryable() }),
    );
    let closes = CloseCode::ALL
        .iter()
        .map(|code| json!({ "number": code.number(), "reconnects": should_reconnect(code.number()) }));
    let names = CHANNEL_NAMES
        .iter()
        .map(|name| json!({ "name": name, "valid": validate_channel_name(name) }));
    json!({
        "errors": errors.collect::<Vec<_>>(),
        "closes": closes.collect::<Vec<_>>(),
        "channelNames": names.collect::<Vec<_>>(),
    })
}

#[test]
fn the_package_is_tested_against_the_protocol_as_it_is() {
    let words = words();
    if std::env::var_os("BMT_WRITE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&words).unwrap();
        std::fs::write(FILE, text + "\n").unwrap();
    }
    let written: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert_eq!(
        written, words,
        "write {FILE} anew and bring the package's constants in line"
    );
}

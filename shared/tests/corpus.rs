//! The seed corpus of the fuzz targets, run through the same checks with the stable compiler.

#[expect(
    unreachable_pub,
    reason = "the file is the library of the fuzz targets, which call it from outside"
)]
#[path = "../../fuzz/src/lib.rs"]
mod checks;

/// Runs every file of one target's corpus; at least `at_least`, so that a missing folder is noticed.
fn run(target: &str, at_least: usize, check: fn(&[u8])) {
    let folder = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut count = 0;
    for file in files {
        let path = file.expect("a readable folder").path();
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if std::panic::catch_unwind(|| check(&bytes)).is_err() {
            panic!("the check {target} failed on {}", path.display());
        }
        // Cut off anywhere, it must still be a value or an error.
        (0..bytes.len().min(256)).for_each(|length| check(&bytes[..length]));
        count += 1;
    }
    assert!(count >= at_least, "{folder} holds {count} files");
}

#[test]
fn engineio_packets_pass() {
    run("engineio_packet", 30, checks::engineio_packet);
}

#[test]
fn engineio_payloads_pass() {
    run("engineio_payload", 15, checks::engineio_payload);
}

#[test]
fn socketio_packets_pass() {
    run("socketio_packet", 60, checks::socketio_packet);
}

#[test]
fn raw_envelopes_pass() {
    run("raw_envelope", 35, checks::raw_envelope);
}

#[test]
fn json_texts_pass() {
    run("json", 60, checks::json);
}

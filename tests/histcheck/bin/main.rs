//! `bmt-histcheck FILE…`: checks files of JSON lines and reports. Ends with 0 if every promise was kept, with 1 if
//! one was not, with 2 if a file cannot be read.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks on its standard streams"
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("Usage: bmt-histcheck FILE…\n\nChecks what clients recorded as JSON lines.");
        return ExitCode::from(2);
    }
    let mut records = Vec::new();
    for file in &files {
        let read = std::fs::read_to_string(file)
            .map_err(|error| format!("{file}: {error}"))
            .and_then(|text| bmt_histcheck::read(file, &text).map_err(|error| error.to_string()));
        match read {
            Ok(mut read) => records.append(&mut read),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(2);
            }
        }
    }
    let violations = bmt_histcheck::check(&records);
    for violation in &violations {
        println!("{violation}");
    }
    println!("{} records, {} violations", records.len(), violations.len());
    ExitCode::from(u8::from(!violations.is_empty()))
}

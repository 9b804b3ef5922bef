//! The server's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    bmt_server::cli::run()
}

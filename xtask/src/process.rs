//! Running other programs: to the end, for their output, or instead of this one.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::Failure;

/// Runs a program that talks to the terminal itself; anything but success is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(ended_badly(command, status))
    }
}

/// Runs a program for what it writes to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(ended_badly(command, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program for its output only if it exists and succeeds; says nothing otherwise.
pub(crate) fn probe(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program, passes its standard output on line by line and shows each line to `read`.
///
/// Answers whether it succeeded: a test runner that reports failures still has results to read.
pub(crate) fn watch(command: &mut Command, mut read: impl FnMut(&str)) -> Result<bool, Failure> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    let stdout = child
        .stdout
        .take()
        .expect("the standard output was piped a line above");
    let mut lines = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        // A reader of ours that went away (`| head`) is no reason to lose the count.
        let _ = std::io::stdout().write_all(&line);
        read(String::from_utf8_lossy(&line).trim_end());
    }
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    Ok(status.success())
}

/// Becomes that program, so that Ctrl-C and SIGTERM reach it and its exit code is ours.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(not_started(command, &error))
}

/// Runs that program to its end: this system cannot replace a running program.
#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> Result<(), Failure> {
    run(command)
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    let program = command.get_program().to_string_lossy().into_owned();
    if error.kind() == std::io::ErrorKind::NotFound {
        return Failure::new(format!(
            "`{program}` was not found on the PATH. {}",
            advice(&program)
        ));
    }
    Failure::new(format!("`{program}` could not be started: {error}"))
}

fn ended_badly(command: &Command, status: ExitStatus) -> Failure {
    let program = Path::new(command.get_program());
    let mut call = program
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args().map(OsStr::to_string_lossy) {
        call.push(' ');
        call.push_str(&argument);
    }
    Failure::new(format!(
        "`{call}` ended with {status}; what it wrote above says why"
    ))
}

fn advice(program: &str) -> &'static str {
    match program {
        "node" | "npm" | "npm.cmd" => "Install Node.js 20.19 or later, which brings npm.",
        "git" => "Install git and run this in a checkout.",
        _ => "Install it and try again.",
    }
}

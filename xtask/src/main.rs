//! The project's own commands, in Rust so that they run wherever the product builds: `cargo xtask <command>`.
//!
//! This file is the table of them; each command is a file of its own. They need the Rust toolchain, Node and
//! a C compiler. Every other tool is found on the PATH at the right version or installed once into a
//! per-user cache folder (see [`tools`]), never into the clone.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks on its standard streams"
)]

mod app;
mod autobahn;
mod bench;
mod build;
mod covers;
mod dev;
mod docs;
mod failure;
mod faults;
mod node;
mod npm;
mod process;
mod serve;
mod stamp;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use failure::Failure;
use workspace::Workspace;

/// One command of the table: what it is called, what its arguments look like, what it does.
struct Command {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: fn(&Workspace, &[String]) -> Result<(), Failure>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        arguments: "[--release] [-- server arguments]",
        help: "build the web app and the server, run it in dev mode on http://localhost:5000",
        run: serve::run,
    },
    Command {
        name: "build",
        arguments: "",
        help: "build the one binary, target/release/bmt-server, with the web app embedded",
        run: build::run,
    },
    Command {
        name: "test",
        arguments: "[filter]",
        help: "install what the tests need and run every test, or those whose name contains the filter",
        run: test::run,
    },
    Command {
        name: "bench",
        arguments: "<name>",
        help: "measure against the official server or client in one run and print the ratios",
        run: bench::run,
    },
    Command {
        name: "faults",
        arguments: "[--seed N] [--full] [row…]",
        help: "break things around a real server, row by row of docs/FAULTS.md, and tell what held",
        run: faults::run,
    },
    Command {
        name: "autobahn",
        arguments: "",
        help: "run Autobahn's WebSocket cases against the raw endpoint's code (needs Python 2.7)",
        run: autobahn::run,
    },
    Command {
        name: "covers",
        arguments: "[name…]",
        help: "take each cover of a weakness of socketioxide out and demand that its tests fail",
        run: covers::run,
    },
    Command {
        name: "npm",
        arguments: "",
        help: "build the npm package and pack it as target/npm/bmt-realtime-<version>.tgz",
        run: npm::run,
    },
    Command {
        name: "dev",
        arguments: "[-- trunk arguments]",
        help: "`trunk serve` with the right tools first on the PATH; run the server beside it",
        run: dev::run,
    },
    Command {
        name: "docs",
        arguments: "",
        help: "write the pages of docs/ that are made from the sources (the tests check them)",
        run: docs::run,
    },
    Command {
        name: "tidy",
        arguments: "",
        help: "check the house rules that no compiler checks (part of `cargo xtask test`)",
        run: tidy::run,
    },
    Command {
        name: "tools",
        arguments: "",
        help: "install the build tools into the per-user cache and say where they are",
        run: tools::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprint!("{}", help());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("error: there is no command `{name}`.\n\n{}", help());
        return ExitCode::from(2);
    };
    if rest
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
        && !rest.contains(&"--".into())
    {
        print!("{}", line(command));
        return ExitCode::SUCCESS;
    }
    match Workspace::find().and_then(|workspace| (command.run)(&workspace, rest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_told() {
                eprintln!("error: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = String::from("Usage: cargo xtask <command>\n\n");
    for command in COMMANDS {
        text.push_str(&line(command));
    }
    text.push_str(
        "\nThe build goes to $CARGO_TARGET_DIR (default: target), tools to $BMT_CACHE_DIR\n\
         (default: bmt-realtime in $XDG_CACHE_HOME or ~/.cache).\n",
    );
    text
}

fn line(command: &Command) -> String {
    let call = format!("{} {}", command.name, command.arguments);
    format!("  {:<40} {}\n", call.trim_end(), command.help)
}

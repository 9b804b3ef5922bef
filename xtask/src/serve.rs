//! `cargo xtask serve`: everything built that has to be, then the server in dev mode.

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{app, build, process};

/// Builds the app and the server and becomes the server, which prints its address and accounts.
///
/// The development profile builds in a third of the time of the release one and is quick enough to try and to
/// develop; `--release` runs what `cargo xtask build` makes.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    let (release, server_arguments) = parse(arguments)?;
    app::ensure(workspace)?;
    let binary = build::server(workspace, release)?;
    let mut server = std::process::Command::new(binary);
    server
        .current_dir(&workspace.root)
        .args(["serve", "--dev"])
        .args(server_arguments);
    process::become_program(&mut server)
}

/// Our own arguments come before `--`, the server's after it.
fn parse(arguments: &[String]) -> Result<(bool, &[String]), Failure> {
    let mut release = false;
    for (index, argument) in arguments.iter().enumerate() {
        match argument.as_str() {
            "--" => return Ok((release, &arguments[index + 1..])),
            "--release" => release = true,
            other => {
                return Err(Failure::new(format!(
                    "`serve` does not know `{other}`; arguments for the server go after `--`: \
                     cargo xtask serve -- {other}"
                )));
            }
        }
    }
    Ok((release, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments_after_the_dashes_are_the_servers() {
        let arguments = words("--release -- --port 5001 --release");
        assert_eq!(
            parse(&arguments).unwrap(),
            (true, &words("--port 5001 --release")[..])
        );
        assert_eq!(parse(&[]).unwrap(), (false, &[][..]));
    }

    #[test]
    fn an_argument_before_the_dashes_that_is_not_ours_is_refused_with_advice() {
        let failure = parse(&words("--port")).unwrap_err();
        assert!(failure.to_string().ends_with("cargo xtask serve -- --port"));
    }
}

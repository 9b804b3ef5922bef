//! `cargo xtask autobahn`: Autobahn's WebSocket cases against the code of the raw endpoint (FAULTS 1, 2).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Naming};
use crate::process;
use crate::workspace::Workspace;

/// Every package of Autobahn at its version.
const REQUIREMENTS: &str = "tests/autobahn/requirements.txt";
/// The last virtualenv that is one file without dependencies, so that it runs from any folder.
const VIRTUALENV: &str = "virtualenv==16.7.12";

/// Installs Autobahn where it is missing and runs its cases. Without a Python 2.7 it says so and runs nothing.
pub(crate) fn run(workspace: &Workspace, _arguments: &[String]) -> Result<(), Failure> {
    let Some(python) = python()? else {
        println!(
            "SKIPPED: Autobahn's test suite is a program of Python 2.7, and none was found. Install one (`pyenv \
             install 2.7.18`), or set BMT_PYTHON2 to its path, and try again."
        );
        return Ok(());
    };
    let wstest = installed(workspace, &python)?;
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--package", "bmt-autobahn", "--"]);
    process::run(cargo.arg(wstest).arg(workspace.target.join("autobahn")))
}

/// `$BMT_PYTHON2`, `python2.7` on the PATH, or one that pyenv has.
fn python() -> Result<Option<PathBuf>, Failure> {
    if let Some(chosen) = std::env::var_os("BMT_PYTHON2") {
        let chosen = PathBuf::from(chosen);
        if is_python_2(&chosen) {
            return Ok(Some(chosen));
        }
        let sentence = format!("BMT_PYTHON2 names {}, which is no Python 2.7", chosen.display());
        return Err(Failure::new(sentence));
    }
    let on_path = PathBuf::from("python2.7");
    let mut candidates = std::iter::once(on_path).chain(pyenvs());
    Ok(candidates.find(|candidate| is_python_2(candidate)))
}

/// What pyenv installed, whether or not it is on.
fn pyenvs() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let Some(root) = root.or_else(|| std::env::home_dir().map(|home| home.join(".pyenv"))) else {
        return Vec::new();
    };
    let versions = std::fs::read_dir(root.join("versions"));
    let paths = versions.into_iter().flatten().flatten().map(|entry| entry.path());
    paths.map(|version| version.join("bin/python2.7")).collect()
}

fn is_python_2(python: &Path) -> bool {
    let asked = [
        "-c",
        "import sys; print(sys.version_info[0] * 10 + sys.version_info[1])",
    ];
    process::probe(Command::new(python).args(asked)).is_some_and(|answer| answer.trim() == "27")
}

/// The path of `wstest`, in an environment of its own in the per-user cache.
fn installed(workspace: &Workspace, python: &Path) -> Result<PathBuf, Failure> {
    let path = workspace.root.join(REQUIREMENTS);
    let requirements = std::fs::read_to_string(&path).naming(path.display())?;
    let folder = workspace.cache.join("tools/autobahn");
    let environment = folder.join("environment");
    let wstest = environment.join("bin/wstest");
    // Written last: an installation that was broken off is begun again.
    let done = folder.join("requirements.txt");
    if std::fs::read_to_string(&done).is_ok_and(|there| there == requirements) && wstest.is_file() {
        return Ok(wstest);
    }
    eprintln!(
        "installing Autobahn into {} (once; about three minutes)",
        folder.display()
    );
    if folder.exists() {
        std::fs::remove_dir_all(&folder).naming(folder.display())?;
    }
    std::fs::create_dir_all(&folder).naming(folder.display())?;
    let virtualenv = folder.join("virtualenv");
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--target"]).arg(&virtualenv);
    process::run(quiet(pip.arg(VIRTUALENV)))?;
    let mut create = Command::new(python);
    create.arg(virtualenv.join("virtualenv.py"));
    process::run(create.arg("--quiet").arg(&environment))?;
    let mut pip = Command::new(environment.join("bin/pip"));
    // `--no-deps`: the list is whole, and nothing that it does not name comes in.
    pip.args(["install", "--no-deps", "--requirement"]).arg(&path);
    process::run(quiet(&mut pip))?;
    std::fs::write(&done, requirements).naming(done.display())?;
    Ok(wstest)
}

/// pip says nothing but what goes wrong; that Python 2 is at its end is known.
fn quiet(pip: &mut Command) -> &mut Command {
    pip.arg("--quiet")
        .env("PYTHONWARNINGS", "ignore")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_NO_PYTHON_VERSION_WARNING", "1")
}

//! `cargo xtask dev`: `trunk serve` with the tools of this workspace, for work on the web app.

use crate::failure::Failure;
use crate::process;
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Becomes `trunk serve`; Trunk.toml says what it passes on to the server on port 5000.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    let tools = Tools::ensure(workspace)?;
    let mut trunk = std::process::Command::new("trunk");
    tools.first_on_path(&mut trunk)?;
    trunk
        .current_dir(&workspace.root)
        .env_remove("NO_COLOR")
        .args(["serve", "--skip-version-check"]);
    trunk.args(arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments));
    process::become_program(&mut trunk)
}

//! A copy of the checkout in which each cover has a switch, with a build folder of its own.
//!
//! One build does for all: what a test says without a cover is said by the program that says it with all of them, and
//! thirty builds would take the better part of an hour.
//!
//! Cargo takes two checkouts in one build folder for the same packages, told apart by the times of their files:
//! what was built without a cover would pass for the checkout's own. The copy is kept from run to run, and only
//! files that differ are written, so that only what changed is built again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::table::Edit;
use crate::failure::{Failure, Naming};
use crate::process;
use crate::workspace::Workspace;

/// The root of the crate that the covers are in.
const LIB: &str = "server/src/lib.rs";

/// What the copy's crate has more than the original: the switches, set for a whole run from outside.
const SWITCHES: &str = r#"
pub(crate) mod covers {
    static OUT: std::sync::LazyLock<Vec<usize>> = std::sync::LazyLock::new(|| {
        let numbers = std::env::var("COVERS_OUT").unwrap_or_default();
        numbers.split(',').filter_map(|number| number.parse().ok()).collect()
    });
    pub(crate) fn out(number: usize) -> bool {
        OUT.contains(&number)
    }
    pub(crate) trait Unless: Sized {
        fn unless(self, out: bool, set: impl FnOnce(Self) -> Self) -> Self {
            if out { self } else { set(self) }
        }
    }
    impl<T> Unless for T {}
}
"#;
const IN_EACH_FILE: &str = "\n#[allow(unused_imports)]\nuse crate::covers::Unless as _;\n";

/// The variable that names the switches which are off, with commas between.
pub(super) const VARIABLE: &str = "COVERS_OUT";

pub(super) struct Replica {
    pub(super) root: PathBuf,
    target: PathBuf,
    /// The tracked files, from the root, as they were when this command began: the checkout may change meanwhile.
    files: Vec<(String, Vec<u8>)>,
}

impl Replica {
    /// Reads what is to be copied.
    pub(super) fn of(workspace: &Workspace) -> Result<Self, Failure> {
        let place = workspace.target.join("covers");
        let listed = process::output(workspace.command("git").args(["ls-files", "-z"]))?;
        // One that was deleted and is still tracked is none of the copy's either.
        let read = |file: &str| Some((file.to_owned(), fs::read(workspace.root.join(file)).ok()?));
        Ok(Self {
            root: place.join("checkout"),
            target: place.join("target"),
            files: listed.split_terminator('\0').filter_map(read).collect(),
        })
    }

    /// Puts a switch at each of these places; the switch's number is the place's.
    pub(super) fn put_switches(&self, places: &[&Edit]) -> Result<(), Failure> {
        let mut sources: BTreeMap<&str, String> = BTreeMap::new();
        for (number, place) in places.iter().enumerate() {
            let source = match sources.entry(place.file) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(free) => free.insert(self.original(place.file)? + IN_EACH_FILE),
            };
            let times = source.matches(place.text).count();
            if times != 1 {
                return Err(Failure::new(format!(
                    "{} holds this text {times} times, not once; bring the table of covers up to date:\n{}",
                    place.file, place.text
                )));
            }
            let switch = format!("crate::covers::out({number})");
            *source = source.replace(place.text, &place.instead.replace("OUT", &switch));
        }
        let root = self.original(LIB)? + SWITCHES;
        sources.insert(LIB, root);
        for (file, bytes) in &self.files {
            let bytes = sources.get(file.as_str()).map_or(&bytes[..], String::as_bytes);
            write(&self.root.join(file), bytes)?;
        }
        Ok(())
    }

    fn original(&self, file: &str) -> Result<String, Failure> {
        let found = self.files.iter().find(|(name, _)| name == file);
        found
            .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
            .ok_or_else(|| Failure::new(format!("there is no file {file}")))
    }

    /// Cargo of the same toolchain that runs this program, in the copy.
    pub(super) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .stdin(Stdio::null());
        cargo
    }
}

/// Writes a file unless it is so already: its time tells Cargo what to build again.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).naming(folder.display())?;
    }
    fs::write(path, bytes).naming(path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(name: &str) -> Replica {
        let folder = std::env::temp_dir().join(format!("bmt-replica-{name}-{}", std::process::id()));
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        Replica {
            root: folder.join("copy"),
            target: folder.join("target"),
            files: vec![
                file(LIB, "mod a;\n"),
                file("src/a.rs", "fn a() { guard(); work(); }"),
                file("src/b.rs", "fn b() {}"),
            ],
        }
    }

    #[test]
    fn a_switch_stands_where_the_cover_was() {
        let replica = replica("switch");
        let edit = Edit {
            file: "src/a.rs",
            text: "guard();",
            instead: "if !OUT { guard(); }",
        };
        replica.put_switches(&[&edit]).unwrap();
        let read = |file: &str| fs::read_to_string(replica.root.join(file)).unwrap();
        let switched = "fn a() { if !crate::covers::out(0) { guard(); } work(); }";
        assert!(read("src/a.rs").starts_with(switched), "{}", read("src/a.rs"));
        assert!(read(LIB).starts_with("mod a;\n") && read(LIB).contains(VARIABLE));
        assert_eq!(read("src/b.rs"), "fn b() {}");
        // The next run has nothing of the last one.
        replica.put_switches(&[]).unwrap();
        assert_eq!(read("src/a.rs"), "fn a() { guard(); work(); }");
        fs::remove_dir_all(replica.root.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_text_that_is_not_there_once_is_refused() {
        let edit = |text| Edit {
            file: "src/a.rs",
            text,
            instead: "",
        };
        let replica = replica("refused");
        for (text, times) in [("gone();", "0 times"), ("();", "2 times")] {
            let refused = replica.put_switches(&[&edit(text)]).unwrap_err().to_string();
            assert!(refused.contains(times), "{refused}");
        }
    }
}

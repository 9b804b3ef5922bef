//! Whether something built is still what its sources would build: a hash of them, kept beside the result.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Naming};

/// The hash of the names and contents of some files.
///
/// By content, so that a checkout that only touches modification times rebuilds nothing. Not stable between
/// releases of Rust, and after one of those everything is to be built again anyway.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp(String);

impl Stamp {
    /// Hashes these files and all files in these folders.
    pub(crate) fn of(sources: &[PathBuf]) -> Result<Self, Failure> {
        let mut files = Vec::new();
        for source in sources {
            collect(source, &mut files)?;
        }
        files.sort();
        let mut hasher = DefaultHasher::new();
        for file in files {
            let content = std::fs::read(&file).naming(file.display())?;
            (file, content).hash(&mut hasher);
        }
        Ok(Self(format!("{:016x}\n", hasher.finish())))
    }

    /// Whether this is the stamp that was written there.
    pub(crate) fn is_in(&self, file: &Path) -> bool {
        std::fs::read_to_string(file).is_ok_and(|written| written == self.0)
    }

    /// Writes it for the next time; done last, so that a failed build has none.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        std::fs::write(file, &self.0).naming(file.display())
    }
}

fn collect(source: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !source.is_dir() {
        files.push(source.to_path_buf());
        return Ok(());
    }
    for entry in std::fs::read_dir(source).naming(source.display())? {
        let path = entry.naming(source.display())?.path();
        if path.file_name().is_some_and(|name| name != "node_modules") {
            collect(&path, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("bmt-stamp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(folder.join("inner/page.rs"), "one").unwrap();
        folder
    }

    #[test]
    fn a_stamp_changes_with_a_content_and_with_a_name_and_not_with_a_time() {
        let folder = folder("changes");
        let sources = [folder.clone()];
        let first = Stamp::of(&sources).unwrap();
        std::fs::write(folder.join("inner/page.rs"), "one").unwrap();
        assert_eq!(Stamp::of(&sources).unwrap(), first);
        std::fs::write(folder.join("inner/page.rs"), "two").unwrap();
        let second = Stamp::of(&sources).unwrap();
        assert_ne!(second, first);
        std::fs::rename(folder.join("inner/page.rs"), folder.join("inner/other.rs")).unwrap();
        assert_ne!(Stamp::of(&sources).unwrap(), second);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_stamp_is_found_where_it_was_written_and_nowhere_else() {
        let folder = folder("written");
        let stamp = Stamp::of(&[folder.join("inner")]).unwrap();
        let file = folder.join("stamp");
        assert!(!stamp.is_in(&file));
        stamp.write(&file).unwrap();
        assert!(stamp.is_in(&file));
        std::fs::remove_dir_all(folder).unwrap();
    }
}

//! Files through their handle: what stays behind when something breaks off.

use std::fs;

use tempfile::TempDir;

use super::*;

const NOW_MS: u64 = 1_000;

struct Shelf {
    dir: TempDir,
    files: Files,
}

impl Shelf {
    fn new(change: impl FnOnce(&mut FilesConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = FilesConfig {
            free_bytes: 0,
            ..FilesConfig::default()
        };
        change(&mut config);
        let files = open(&dir, config);
        Self { dir, files }
    }

    async fn put(&self, owner: &str, name: &str, bytes: &[u8]) -> Result<StoredFile, FileError> {
        let mut incoming = self.files.receive(&UserId::new(owner), 0).await?;
        for part in bytes.chunks(1_000) {
            incoming.write(part).await?;
        }
        let described = Described {
            name: Some(name.to_owned()),
            mime: None,
        };
        incoming.finish(described, NOW_MS).await
    }

    /// Everything in the folder of files, by its path in there.
    fn on_disk(&self) -> Vec<String> {
        let root = self.dir.path().join("files");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found
    }
}

fn open(dir: &TempDir, config: FilesConfig) -> Files {
    let path = |name: &str| dir.path().join(name);
    Files::open(&path("files.db"), &path("files"), config).unwrap()
}

#[tokio::test]
async fn a_file_is_kept_under_its_id_and_found_again_after_a_restart() {
    let shelf = Shelf::new(|_| ());
    let kept = shelf.put("ann", "../a.txt", b"words").await.unwrap();
    assert_eq!(
        (kept.name.as_str(), kept.mime.as_str(), kept.size),
        ("a.txt", "text/plain", 5)
    );
    assert_eq!(shelf.on_disk(), [format!("{}/{}", &kept.id[..2], kept.id)]);
    let link = shelf.files.link(&kept.id, NOW_MS);
    let Shelf { dir, files } = shelf;
    drop(files);
    let again = open(&dir, FilesConfig::default());
    assert_eq!(again.get(&kept.id).await.unwrap(), kept);
    assert_eq!(fs::read(again.path(&kept)).unwrap(), b"words");
    assert!(
        again.link_holds(&kept.id, &link, NOW_MS),
        "links outlive the process"
    );
    assert_eq!(again.kept(), Usage { files: 1, bytes: 5 });
}

#[tokio::test]
async fn what_breaks_off_leaves_nothing_and_gives_its_place_back() {
    let shelf = Shelf::new(|config| {
        config.uploads_per_user = 1;
        config.max_bytes = 10;
    });
    let ann = UserId::new("ann");
    let mut incoming = shelf.files.receive(&ann, 0).await.unwrap();
    incoming.write(b"half").await.unwrap();
    let second = shelf.files.receive(&ann, 0).await;
    assert!(matches!(second, Err(FileError::Busy { own: true })));
    drop(incoming);
    let large = shelf.put("ann", "a", b"eleven byte").await;
    assert!(matches!(large, Err(FileError::TooLarge(10))));
    let announced = shelf.files.receive(&ann, 11).await;
    assert!(matches!(announced, Err(FileError::TooLarge(10))));
    let image = shelf.put("ann", "a.png", b"\x89PNG\r\n\x1a\n").await;
    assert!(matches!(image, Err(FileError::Damaged(_))));
    assert_eq!(shelf.on_disk(), [""; 0]);
    assert!(shelf.put("ann", "a", b"ten bytes!").await.is_ok());
}

#[tokio::test]
async fn what_a_crash_left_half_way_is_gone_after_the_next_start() {
    let shelf = Shelf::new(|_| ());
    let kept = shelf.put("ann", "a", b"kept").await.unwrap();
    let (moved, going) = (shelf.put("ann", "b", b"moved").await.unwrap(), "incoming/x.new");
    let unfinished = moved.id.clone();
    let cut = shelf.files.run(move |connection, _| {
        Ok(connection.execute("UPDATE file SET whole = 0 WHERE id = ?1", [&unfinished])?)
    });
    assert_eq!(cut.await.unwrap(), 1);
    fs::write(shelf.dir.path().join("files").join(going), "half").unwrap();
    assert!(matches!(
        shelf.files.get(&moved.id).await,
        Err(FileError::Unknown)
    ));
    let Shelf { dir, files } = shelf;
    drop(files);
    let files = open(&dir, FilesConfig::default());
    assert_eq!(files.kept(), Usage { files: 1, bytes: 4 });
    let shelf = Shelf { dir, files };
    assert_eq!(shelf.on_disk(), [format!("{}/{}", &kept.id[..2], kept.id)]);
}

/// FAULTS 62.
#[tokio::test]
async fn where_the_disk_has_no_room_to_spare_nothing_is_taken() {
    let shelf = Shelf::new(|config| config.free_bytes = u64::MAX);
    let refused = shelf.put("ann", "a", b"words").await;
    assert!(matches!(refused, Err(FileError::NoRoom)));
    assert_eq!(shelf.on_disk(), [""; 0]);
}

#[tokio::test]
async fn quotas_are_those_of_each_and_of_all() {
    let shelf = Shelf::new(|config| {
        config.user_bytes = 10;
        config.user_files = 2;
        config.total_bytes = 15;
    });
    let first = shelf.put("ann", "a", b"12345678").await.unwrap();
    let over = shelf.put("ann", "b", b"123").await;
    assert!(matches!(over, Err(FileError::Full(Quota::UserBytes, 10))));
    shelf.put("ann", "b", b"1").await.unwrap();
    let over = shelf.put("ann", "c", b"1").await;
    assert!(matches!(over, Err(FileError::Full(Quota::UserFiles, 2))));
    let over = shelf.put("bob", "d", b"1234567").await;
    assert!(matches!(over, Err(FileError::Full(Quota::TotalBytes, 15))));
    shelf.files.delete(&first.id, None).await.unwrap();
    shelf.put("bob", "d", b"1234567").await.unwrap();
    assert_eq!(shelf.files.kept(), Usage { files: 2, bytes: 8 });
}

#[tokio::test]
async fn only_its_owner_deletes_a_file_and_all_of_a_user_go_at_once() {
    let shelf = Shelf::new(|_| ());
    let (ann, bob) = (UserId::new("ann"), UserId::new("bob"));
    let mut ids = Vec::new();
    for name in ["1", "2", "3"] {
        ids.push(shelf.put("ann", name, name.as_bytes()).await.unwrap().id);
    }
    let others = shelf.put("bob", "4", b"4").await.unwrap();
    let files = &shelf.files;
    let denied = files.delete(&ids[0], Some(bob.clone())).await;
    assert!(matches!(denied, Err(FileError::Unknown)));
    files.delete(&ids[0], Some(ann.clone())).await.unwrap();
    assert!(matches!(
        files.delete(&ids[0], None).await,
        Err(FileError::Unknown)
    ));
    let names = |page: Vec<StoredFile>| page.into_iter().map(|file| file.name).collect::<Vec<_>>();
    assert_eq!(names(files.of_user(&ann, None, 1).await.unwrap()), ["3"]);
    let next = files.of_user(&ann, Some(ids[2].clone()), 5).await.unwrap();
    assert_eq!(names(next), ["2"]);
    assert_eq!(files.forget(&ann).await.unwrap(), Usage { files: 2, bytes: 2 });
    assert_eq!(shelf.on_disk(), [format!("{}/{}", &others.id[..2], others.id)]);
    assert_eq!(files.usage(&ann).await.unwrap(), Usage::default());
}

//! The suite itself, in a few seconds: its clients, its journals and the checker around a server that is killed
//! once, and around one that forgets.

use std::path::PathBuf;
use std::time::Duration;

use bmt_histcheck::Event;

use crate::client::{Client, Manner};
use crate::journal::Journal;
use crate::load::{CHANNELS, Load, Shape, judge};
use crate::server::{Build, Server};

/// The server that `cargo xtask test` names, or the one that `cargo test` built beside this test.
fn server_is_there() {
    if std::env::var_os("BMT_SERVER_BIN").is_none() {
        let own = std::env::current_exe().expect("a running test has a path");
        let folder = own.ancestors().nth(2).map(PathBuf::from).unwrap_or_default();
        let built = folder
            .join("bmt-server")
            .with_extension(std::env::consts::EXE_EXTENSION);
        assert!(
            built.exists(),
            "build the server first: `cargo build -p bmt-server`"
        );
        crate::server::use_binary(built);
    }
}

/// FAULTS 68, one round of it: and the checker would have found a message that is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_its_promises_and_a_lost_message_would_be_found() {
    server_is_there();
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(Build::Development, folder.path(), &[]).unwrap();
    let shape = Shape::of(2, 2);
    let load = Load::start(&shape, server.address(), folder.path(), 1)
        .await
        .unwrap();
    load.acks(40).await.unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    load.acks(40).await.unwrap();
    let note = load.settle(server.address(), folder.path()).await.unwrap();
    assert!(note.contains("hold"), "{note}");

    let mut liar = Journal::create(folder.path(), "liar").unwrap();
    liar.note(Event::Invoke {
        id: "lost".to_owned(),
        channel: CHANNELS[0].to_owned(),
        body: String::new(),
        conn: 0,
    });
    liar.note(Event::Ok {
        id: "lost".to_owned(),
        channel: CHANNELS[0].to_owned(),
        seq: 1,
        epoch: None,
    });
    drop(liar);
    let found = judge(folder.path()).unwrap_err().to_string();
    assert!(found.contains("lost"), "{found}");
    assert!(server.log().len() < 1 << 20, "a log of a few lines");
    server.signal(rustix::process::Signal::TERM).unwrap();
    assert!(server.ended_within(Duration::from_secs(10)).unwrap().success());
}

/// A message with `requireDelivery`, from the core that asks to the cores that confirm, over real sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_confirm_what_asks_for_it_and_the_author_is_told() {
    server_is_there();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Build::Development, folder.path(), &[]).unwrap();
    let client = |name: &str| Client::start(Manner::of(name, server.address(), 7), folder.path()).unwrap();
    let patience = Duration::from_secs(20);
    let readers = [client("r1"), client("r2")];
    for reader in &readers {
        reader.subscribe(CHANNELS[0]);
        reader
            .until("its subscription", patience, |seen| !seen.positions.is_empty())
            .await
            .unwrap();
    }
    let author = client("author");
    author.publish_to_confirm(CHANNELS[0]);
    author
        .until("both confirmations", patience, |seen| {
            seen.confirmed == Some((2, 0))
        })
        .await
        .unwrap();
    for reader in &readers {
        assert_eq!(reader.seen().delivered, 1);
    }
}

//! Keys and the audit log against a real file.

use super::*;

const NOW_MS: u64 = 1_700_000_000_000;
const ALL: Retention = Retention { keep_ms: 0, rows: 0 };

fn open(folder: &tempfile::TempDir, retention: Retention) -> Records {
    Records::open(&folder.path().join(RECORDS_FILE), retention).unwrap()
}

fn new(scopes: &[Scope]) -> NewKey {
    NewKey {
        name: "billing".to_owned(),
        scopes: scopes.to_vec(),
        expires_at: None,
    }
}

fn entry(act: &str, outcome: Outcome, at_ms: u64) -> AuditEntry {
    AuditEntry {
        at_ms,
        actor: Actor::User("u_1".to_owned()),
        act: act.to_owned(),
        target: "u_2".to_owned(),
        outcome,
        status: 200,
        address: None,
        request: "r".to_owned(),
        times: 1,
    }
}

async fn five_of_two(records: &Records) {
    for at in 0..5 {
        records
            .note(entry("user.block", Outcome::Done, NOW_MS + at))
            .await
            .unwrap();
        records
            .note(entry("auth.login", Outcome::Denied, NOW_MS + at))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_key_is_known_by_its_whole_text_and_the_file_does_not_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(&folder, ALL);
    let (key, text) = records
        .create_key(new(&[Scope::Publish]), "u_1", NOW_MS)
        .await
        .unwrap();
    assert!(key.allows(Scope::Publish) && !key.allows(Scope::Read) && !key.allows(Scope::Admin));
    assert_eq!(records.key_of(&text, NOW_MS).await.unwrap().as_ref(), Some(&key));
    let mut other = text.clone();
    other.pop();
    for wrong in [other.as_str(), "bmt_", "bmt_x_y", "", "x"] {
        assert_eq!(records.key_of(wrong, NOW_MS).await.unwrap(), None, "{wrong}");
    }
    let secret = text.rsplit_once(&format!("{}_", key.id)).unwrap().1.to_owned();
    assert_eq!(secret.len(), 43, "256 bits");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

#[tokio::test]
async fn a_key_that_another_process_revokes_is_refused_a_second_later() {
    let folder = tempfile::tempdir().unwrap();
    let (server, command) = (open(&folder, ALL), open(&folder, ALL));
    let (key, text) = command
        .create_key(new(&[Scope::Admin]), "command_line", NOW_MS)
        .await
        .unwrap();
    assert!(server.key_of(&text, NOW_MS).await.unwrap().is_some());
    assert!(command.revoke_key(&key.id).await.unwrap());
    assert!(!command.revoke_key(&key.id).await.unwrap());
    assert_eq!(server.key_of(&text, NOW_MS + 1_000).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_ends_when_it_says_and_cannot_be_made_wrongly() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(&folder, ALL);
    let ends = NewKey {
        expires_at: Some(NOW_MS + 10),
        ..new(&[Scope::Read])
    };
    let (_, text) = records.create_key(ends, "u_1", NOW_MS).await.unwrap();
    assert!(records.key_of(&text, NOW_MS + 9).await.unwrap().is_some());
    assert!(records.key_of(&text, NOW_MS + 10).await.unwrap().is_none());
    let nameless = NewKey {
        name: " ".to_owned(),
        ..new(&[Scope::Read])
    };
    let past = NewKey {
        expires_at: Some(NOW_MS),
        ..new(&[Scope::Read])
    };
    for wrong in [new(&[]), nameless, past] {
        let refused = records.create_key(wrong, "u_1", NOW_MS).await;
        assert!(matches!(refused, Err(KeyError::Wrong(_))));
    }
}

#[tokio::test]
async fn the_audit_log_is_paged() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(&folder, ALL);
    five_of_two(&records).await;
    let ask = |query| records.audit(query);
    let first = ask(AuditQuery {
        limit: 4,
        ..AuditQuery::default()
    })
    .await
    .unwrap();
    assert!(first.next_cursor.is_some() && first.entries.len() == 4);
    let json = serde_json::to_value(&first).unwrap();
    let before = json["entries"][3]["id"].as_u64();
    let rest = ask(AuditQuery {
        limit: 10,
        before,
        ..AuditQuery::default()
    })
    .await
    .unwrap();
    assert!(rest.next_cursor.is_none() && rest.entries.len() == 6);
}

#[tokio::test]
async fn the_audit_log_is_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(&folder, ALL);
    five_of_two(&records).await;
    let ask = |query| records.audit(query);
    let count = async |query| {
        ask(AuditQuery { limit: 100, ..query })
            .await
            .unwrap()
            .entries
            .len()
    };
    assert_eq!(
        count(AuditQuery {
            act: Some("auth.login".to_owned()),
            ..AuditQuery::default()
        })
        .await,
        5
    );
    assert_eq!(
        count(AuditQuery {
            act: Some("user.".to_owned()),
            ..AuditQuery::default()
        })
        .await,
        5
    );
    assert_eq!(
        count(AuditQuery {
            outcome: Some(Outcome::Denied),
            ..AuditQuery::default()
        })
        .await,
        5
    );
    assert_eq!(
        count(AuditQuery {
            actor: Some("nobody".to_owned()),
            ..AuditQuery::default()
        })
        .await,
        0
    );
    let window = AuditQuery {
        from_ms: Some(NOW_MS + 1),
        to_ms: Some(NOW_MS + 3),
        ..AuditQuery::default()
    };
    assert_eq!(count(window).await, 4);
}

#[tokio::test]
async fn a_flood_of_refusals_never_pushes_out_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(
        &folder,
        Retention {
            keep_ms: 1_000,
            rows: 10,
        },
    );
    records
        .note(entry("user.block", Outcome::Done, NOW_MS))
        .await
        .unwrap();
    for _ in 0..1_100 {
        records
            .note(entry("user.list", Outcome::Denied, NOW_MS))
            .await
            .unwrap();
    }
    let all = AuditQuery {
        limit: 200,
        ..AuditQuery::default()
    };
    let done = AuditQuery {
        outcome: Some(Outcome::Done),
        ..all.clone()
    };
    assert_eq!(records.audit(done.clone()).await.unwrap().entries.len(), 1);
    assert!(records.audit(all).await.unwrap().entries.len() < 200);
    for _ in 0..512 {
        records
            .note(entry("user.list", Outcome::Denied, NOW_MS + 2_000))
            .await
            .unwrap();
    }
    assert_eq!(
        records.audit(done).await.unwrap().entries.len(),
        0,
        "it is too old now"
    );
}

#[tokio::test]
async fn a_row_of_the_audit_log_cannot_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(&folder, ALL);
    records
        .note(entry("user.block", Outcome::Done, NOW_MS))
        .await
        .unwrap();
    let changed = records
        .writer
        .run(|connection| connection.execute("UPDATE audit SET act = 'x'", ()));
    assert!(changed.await.unwrap_err().to_string().contains("append-only"));
}

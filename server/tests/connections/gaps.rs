//! A stream that broke, as far as the server knows: subscribers get the event `gap` and recover (SPEC §4, §5.2).
//!
//! It breaks where the disk comes back from a failure with something that nobody was told of: a commit that had
//! been reported as failed, or an older copy of the numbering.

use std::fs;
use std::path::PathBuf;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::support::{TestServer, token};
use crate::talker::{Talker, Transport};

const TOPIC: &str = "public:a";

/// The message database of a server while that cannot write to it.
struct Failed {
    path: PathBuf,
    aside: PathBuf,
}

impl Failed {
    /// Takes the database away; from the first publish on the server has noticed.
    async fn by(server: &TestServer, writer: &mut Talker) -> Self {
        let path = server.data_dir().join("messages.db");
        let aside = path.with_extension("aside");
        fs::rename(&path, &aside).unwrap();
        assert_eq!(publish(writer, "lost").await, Err("server_error".to_owned()));
        Self { path, aside }
    }

    /// Brings it back, changed, and as sound as if the server had written it.
    fn back(self, change: impl FnOnce(&Connection)) {
        fs::rename(self.aside, &self.path).unwrap();
        let database = Connection::open(&self.path).unwrap();
        let all = database.unchecked_transaction().unwrap();
        change(&all);
        sum_anew(&all, "channels", "id, name, epoch, top, oldest, created_at");
        sum_anew(
            &all,
            "messages",
            "place, id, sender, key, payload, attachments, priority, timestamp, expires_at, amends, edited, deleted, \
             reactions",
        );
        all.commit().unwrap();
    }
}

/// Writes the checksum of each row: CRC-32 over its columns, each behind its type and, where it has one, its length.
fn sum_anew(database: &Connection, table: &str, columns: &str) {
    let mut select = database
        .prepare(&format!("SELECT {columns} FROM {table}"))
        .unwrap();
    let count = select.column_count();
    let mut rows = select.query(()).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let mut sum = crc32fast::Hasher::new();
        for at in 0..count {
            let (kind, bytes): (u8, &[u8]) = match row.get_ref(at).unwrap() {
                ValueRef::Null => (0, &[]),
                ValueRef::Integer(number) => {
                    sum.update(&[1]);
                    sum.update(&number.to_le_bytes());
                    continue;
                }
                ValueRef::Text(text) => (3, text),
                ValueRef::Blob(bytes) => (4, bytes),
                ValueRef::Real(_) => unreachable!("no column holds one"),
            };
            sum.update(&[kind]);
            if kind > 0 {
                sum.update(&(bytes.len() as u64).to_le_bytes());
                sum.update(bytes);
            }
        }
        let key = columns.split(',').next().unwrap();
        let number: i64 = row.get(0).unwrap();
        let update = format!("UPDATE {table} SET sum = ?1 WHERE {key} = ?2");
        let written = database.execute(&update, params![sum.finalize(), number]);
        assert_eq!(written.unwrap(), 1);
    }
}

/// Publishes and answers with the seq, or with the code of the refusal.
async fn publish(writer: &mut Talker, text: &str) -> Result<u64, String> {
    let answer = writer
        .ask("publish", &json!({"topic": TOPIC, "payload": text}))
        .await;
    match answer.code() {
        "ok" => Ok(answer.body()["seq"].as_u64().unwrap()),
        code => Err(code.to_owned()),
    }
}

/// A reader of the channel and its position, and a writer who has published two messages.
async fn reader_and_writer(server: &TestServer, transport: Transport) -> (Talker, Value, Talker) {
    let mut reader = Talker::connect(server, transport, &token("reader")).await;
    let subscribed = reader.ask("subscribe", &json!({"topic": TOPIC})).await.body();
    let mut writer = Talker::connect(server, Transport::SocketIo, &token("writer")).await;
    for seq in 1..=2 {
        assert_eq!(publish(&mut writer, "before").await, Ok(seq));
    }
    let position = json!({"seq": 2, "epoch": subscribed["epoch"]});
    (reader, position, writer)
}

async fn recover(reader: &mut Talker, since: &Value) -> Value {
    let ask = json!({"topic": TOPIC, "since": since});
    reader.ask("subscribe", &ask).await.body()
}

fn told(recovered: &Value) -> Vec<(u64, &str)> {
    let messages = recovered["messages"].as_array().unwrap();
    let each = messages
        .iter()
        .map(|message| (message["seq"].as_u64(), message["payload"].as_str()));
    each.map(|(seq, payload)| (seq.unwrap(), payload.unwrap()))
        .collect()
}

#[tokio::test]
async fn a_message_that_was_kept_and_never_delivered_is_told_as_a_gap_and_recovered() {
    for transport in Transport::ALL {
        let server = TestServer::start().await;
        let (mut reader, position, mut writer) = reader_and_writer(&server, transport).await;
        let failed = Failed::by(&server, &mut writer).await;
        // The commit had reached the disk after all.
        failed.back(|database| {
            let copied = database.execute(
                "INSERT INTO messages (place, id, sender, key, payload, priority, timestamp)
                 SELECT place + 1, 'unheard', sender, 'unheard', '\"unheard\"', priority, timestamp
                 FROM messages ORDER BY place DESC LIMIT 1",
                (),
            );
            assert_eq!(copied.unwrap(), 1);
            let counted = database.execute("UPDATE channels SET top = 3 WHERE name = ?1", [TOPIC]);
            assert_eq!(counted.unwrap(), 1);
        });
        assert_eq!(publish(&mut writer, "after").await, Ok(4));
        let gap = reader.event("gap").await;
        assert_eq!(
            gap,
            json!({
                "topic": TOPIC, "reason": "missed", "seq": 4, "epoch": position["epoch"], "oldestSeq": 1
            }),
            "{transport:?}"
        );
        let recovered = recover(&mut reader, &position).await;
        assert_eq!(recovered["recovered"], true, "{transport:?}: {recovered}");
        assert_eq!(told(&recovered), [(3, "unheard"), (4, "after")], "{transport:?}");
        // And the stream goes on behind it.
        assert_eq!(publish(&mut writer, "live").await, Ok(5));
        let live = match &mut reader {
            Talker::SocketIo(client) => client.event("message").await["seq"].clone(),
            Talker::Raw(client) => client.frame("data").await["sequence"].clone(),
        };
        assert_eq!(live, 5, "{transport:?}");
    }
}

#[tokio::test]
async fn a_numbering_that_began_anew_is_told_as_a_gap_and_positions_of_the_old_one_recover_nothing() {
    const ANEW: &str = "anew";
    for transport in Transport::ALL {
        let server = TestServer::start().await;
        let (mut reader, position, mut writer) = reader_and_writer(&server, transport).await;
        let failed = Failed::by(&server, &mut writer).await;
        failed.back(|database| {
            let changed = database.execute(
                "UPDATE channels SET epoch = ?1 WHERE name = ?2",
                params![ANEW, TOPIC],
            );
            assert_eq!(changed.unwrap(), 1);
        });
        assert_eq!(publish(&mut writer, "after").await, Ok(3));
        let gap = reader.event("gap").await;
        assert_eq!(
            (&gap["reason"], &gap["seq"], &gap["epoch"]),
            (&json!("epoch_changed"), &json!(3), &json!(ANEW)),
            "{transport:?}"
        );
        let answered = recover(&mut reader, &position).await;
        assert_eq!(
            (&answered["recovered"], &answered["reason"], &answered["epoch"]),
            (&json!(false), &json!("epoch_changed"), &json!(ANEW)),
            "{transport:?}"
        );
        assert_eq!(
            told(&answered).last(),
            Some(&(3, "after")),
            "{transport:?}: the newest page instead"
        );
        let here = json!({"seq": 2, "epoch": ANEW});
        let recovered = recover(&mut reader, &here).await;
        assert_eq!(told(&recovered), [(3, "after")], "{transport:?}");
    }
}

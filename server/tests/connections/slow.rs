//! What a slow connection gets, what it gets first and what it loses (SPEC §4 `ttl` and `priority`, §5.4; FAULTS 91).

use std::time::Duration;

use bmt_server::config::Config;
use serde_json::{Value, json};

use crate::closings::{Return, ends_with};
use crate::support::{TestServer, token, within};
use crate::talker::{Talker, Transport};

/// Fillers are so large, and so many, that the kernel and the socket hold only a part of them.
const FILLER_BYTES: usize = 8_000;
const FILLERS: u64 = 1_600;
/// Of one batch: what fits into a frame.
const FILLERS_AT_ONCE: u64 = 14;
const FILLER: &str = "public:filler";

fn unhurried(config: &mut Config) {
    config.limits.publish_per_second = 0;
    config.limits.outbox_bytes = 0;
    config.limits.outbox_messages = 0;
}

async fn connect(server: &TestServer, transport: Transport, user: &str) -> Talker {
    Talker::connect(server, transport, &token(user)).await
}

async fn publish(writer: &mut Talker, messages: &[Value]) {
    let results = writer.ask("publish", &json!({"messages": messages})).await.body();
    for result in results["results"].as_array().unwrap() {
        assert!(result["seq"].is_u64(), "{result}");
    }
}

/// Publishes more than a reader that does not read can be sent.
async fn fill(writer: &mut Talker) {
    let text = "x".repeat(FILLER_BYTES);
    let mut left = FILLERS;
    while left > 0 {
        let count = left.min(FILLERS_AT_ONCE);
        left -= count;
        let filler = json!({"topic": FILLER, "payload": text});
        publish(writer, &vec![filler; usize::try_from(count).unwrap()]).await;
    }
}

/// The next message: its channel, its seq, and its `prev` where it has one.
async fn message(reader: &mut Talker) -> (String, u64, Option<u64>) {
    match reader {
        Talker::SocketIo(client) => {
            let body = client.event("message").await;
            let topic = body["topic"].as_str().unwrap().to_owned();
            (topic, body["seq"].as_u64().unwrap(), body["prev"].as_u64())
        }
        Talker::Raw(client) => loop {
            let frame = client.next().await;
            if let Some(seq) = frame["sequence"].as_u64() {
                let topic = frame["topic"].as_str().unwrap().to_owned();
                return (topic, seq, frame["prev"].as_u64());
            }
        },
    }
}

/// Reads until the message with this seq of this channel, which is among them.
async fn read_until(reader: &mut Talker, topic: &str, seq: u64) -> Vec<(String, u64, Option<u64>)> {
    let mut read = Vec::new();
    loop {
        let message = message(reader).await;
        let is_last = message.0 == topic && message.1 == seq;
        read.push(message);
        if is_last {
            return read;
        }
    }
}

fn seqs(read: &[(String, u64, Option<u64>)], topic: &str) -> Vec<u64> {
    let of = read.iter().filter(|(of, ..)| of == topic);
    of.map(|(_, seq, _)| *seq).collect()
}

#[tokio::test]
async fn a_message_that_waited_past_its_ttl_is_not_written_and_the_next_one_tells_the_skip() {
    const TTL_MS: u64 = 300;
    for transport in Transport::ALL {
        let server = TestServer::with(unhurried).await;
        let mut reader = connect(&server, transport, "reader").await;
        for topic in [FILLER, "public:a"] {
            reader.ask("subscribe", &json!({"topic": topic})).await.body();
        }
        let mut writer = connect(&server, Transport::SocketIo, "writer").await;
        let plain = json!({"topic": "public:a", "payload": 1});
        let short = json!({"topic": "public:a", "payload": 1, "ttl": TTL_MS});
        publish(&mut writer, std::slice::from_ref(&plain)).await;
        fill(&mut writer).await;
        publish(
            &mut writer,
            &[plain.clone(), short.clone(), short, plain.clone(), plain],
        )
        .await;
        tokio::time::sleep(Duration::from_millis(2 * TTL_MS)).await;
        let read = read_until(&mut reader, "public:a", 6).await;
        let of_a: Vec<_> = read.iter().filter(|(topic, ..)| topic == "public:a").collect();
        let prevs: Vec<_> = of_a.iter().map(|(_, seq, prev)| (*seq, *prev)).collect();
        assert_eq!(
            prevs,
            [(1, None), (2, None), (5, Some(2)), (6, None)],
            "{transport:?}"
        );
        let fillers: Vec<u64> = (1..=FILLERS).collect();
        assert_eq!(
            seqs(&read, FILLER),
            fillers,
            "{transport:?}: nothing else was left out"
        );
        // Who comes back later gets them no more either.
        let mut late = connect(&server, transport, "late").await;
        let page = late.ask("history", &json!({"topic": "public:a"})).await.body();
        let kept: Vec<_> = page["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["seq"].clone())
            .collect();
        assert_eq!(kept, [1, 2, 5, 6], "{transport:?}");
    }
}

#[tokio::test]
async fn a_slow_connection_gets_what_is_urgent_first_and_each_channel_in_its_order() {
    for transport in Transport::ALL {
        let server = TestServer::with(unhurried).await;
        let mut reader = connect(&server, transport, "reader").await;
        for topic in [FILLER, "public:mixed", "public:urgent"] {
            reader.ask("subscribe", &json!({"topic": topic})).await.body();
        }
        let mut writer = connect(&server, Transport::SocketIo, "writer").await;
        fill(&mut writer).await;
        let of = |topic: &str, priority: &str| json!({"topic": topic, "payload": 1, "priority": priority});
        publish(
            &mut writer,
            &[of("public:urgent", "high"), of("public:urgent", "high")],
        )
        .await;
        publish(
            &mut writer,
            &[
                of("public:mixed", "low"),
                of("public:mixed", "high"),
                of("public:mixed", "normal"),
            ],
        )
        .await;
        let read = read_until(&mut reader, "public:mixed", 3).await;
        assert_eq!(seqs(&read, "public:mixed"), [1, 2, 3], "{transport:?}");
        assert_eq!(seqs(&read, "public:urgent"), [1, 2], "{transport:?}");
        let fillers: Vec<u64> = (1..=FILLERS).collect();
        assert_eq!(seqs(&read, FILLER), fillers, "{transport:?}");
        let place = |topic: &str, seq| {
            let place = read.iter().position(|(of, at, _)| of == topic && *at == seq);
            place.expect("all of them came")
        };
        let behind = read.len() - place("public:urgent", 2);
        assert!(behind > 100, "{transport:?}: only {behind} were overtaken");
        assert!(
            place("public:mixed", 2) > place(FILLER, FILLERS),
            "{transport:?}: behind its own channel's first"
        );
    }
}

#[tokio::test]
async fn a_slow_connection_loses_low_priority_first_and_sees_what_it_lost() {
    const LOWS: u64 = 2_000;
    for transport in Transport::ALL {
        let server = TestServer::with(|config| {
            unhurried(config);
            config.limits.outbox_messages = 2_500;
        })
        .await;
        let mut reader = connect(&server, transport, "reader").await;
        for topic in [FILLER, "public:low"] {
            reader.ask("subscribe", &json!({"topic": topic})).await.body();
        }
        let mut writer = connect(&server, Transport::SocketIo, "writer").await;
        fill(&mut writer).await;
        let low = json!({"topic": "public:low", "payload": 1, "priority": "low"});
        for _ in 0..LOWS / 200 {
            publish(&mut writer, &vec![low.clone(); 200]).await;
        }
        publish(&mut writer, &[json!({"topic": "public:low", "payload": 1})]).await;
        let read = read_until(&mut reader, "public:low", LOWS + 1).await;
        let fillers: Vec<u64> = (1..=FILLERS).collect();
        assert_eq!(
            seqs(&read, FILLER),
            fillers,
            "{transport:?}: only low priority was dropped"
        );
        let lows = seqs(&read, "public:low");
        assert!(
            lows.is_sorted() && lows.len() < 1_000,
            "{transport:?}: {} came",
            lows.len()
        );
        let (_, _, prev) = read.last().unwrap();
        assert_eq!(
            *prev, None,
            "{transport:?}: what was dropped is a gap, and is recovered"
        );
        let since = json!({"seq": LOWS - 500, "epoch": epoch(&mut reader).await});
        let ask = json!({"topic": "public:low", "since": since});
        let again = reader.ask("subscribe", &ask).await.body();
        assert_eq!(again["recovered"], true, "{transport:?}");
        assert_eq!(again["messages"].as_array().unwrap().len(), 501, "{transport:?}");
    }
}

async fn epoch(reader: &mut Talker) -> Value {
    let page = reader
        .ask("history", &json!({"topic": "public:low", "limit": 1}))
        .await;
    page.body()["epoch"].clone()
}

/// Whether a connection was closed because it read too slowly.
async fn has_slow_consumers(server: &TestServer) -> bool {
    let answer = reqwest::get(server.url("/metrics")).await.unwrap();
    let text = answer.text().await.unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("bmt_slow_consumers_total "));
    line.unwrap().parse::<f64>().unwrap() > 0.0
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_so_and_when_to_come_back_and_others_notice_nothing() {
    for transport in Transport::ALL {
        let server = TestServer::with(|config| {
            unhurried(config);
            config.limits.outbox_messages = 100;
        })
        .await;
        let mut slow = connect(&server, transport, "slow").await;
        slow.ask("subscribe", &json!({"topic": FILLER})).await.body();
        let mut quick = connect(&server, transport, "quick").await;
        quick.ask("subscribe", &json!({"topic": "public:a"})).await.body();
        let mut writer = connect(&server, Transport::SocketIo, "writer").await;
        let text = "x".repeat(FILLER_BYTES);
        let filler =
            vec![json!({"topic": FILLER, "payload": text}); usize::try_from(FILLERS_AT_ONCE).unwrap()];
        let filled = async {
            while !has_slow_consumers(&server).await {
                publish(&mut writer, &filler).await;
            }
        };
        within("the server to have enough", filled).await;
        // It reads on now: what the kernel holds for it, and then why nothing more comes. An official client is not
        // sent a DISCONNECT, so it comes back by itself.
        ends_with(slow, 4003, "slow_consumer", Return::Later).await;
        publish(&mut writer, &[json!({"topic": "public:a", "payload": 1})]).await;
        assert_eq!(
            message(&mut quick).await,
            ("public:a".to_owned(), 1, None),
            "{transport:?}"
        );
    }
}

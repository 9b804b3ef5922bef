//! What a subscriber is told where its stream cannot simply go on: each reason, on both transports (SPEC §4).

use bmt_shared::id::UserId;
use bmt_shared::identity::Role;
use serde_json::{Value, json};

use crate::support::{TestServer, token, token_with};
use crate::talker::{Talker, Transport};

const KEPT: u64 = 300;
const PUBLISHED: u64 = 1_400;

async fn publish(writer: &mut Talker, topic: &str, count: u64) -> Value {
    let mut last = Value::Null;
    let mut left = count;
    while left > 0 {
        let some = left.min(200);
        left -= some;
        let messages = vec![json!({"topic": topic, "payload": 1}); usize::try_from(some).unwrap()];
        last = writer.ask("publish", &json!({"messages": messages})).await.body();
    }
    last
}

async fn epoch(talker: &mut Talker, topic: &str) -> Value {
    let page = talker.ask("history", &json!({"topic": topic, "limit": 1})).await;
    page.body()["epoch"].clone()
}

#[tokio::test]
async fn a_recovery_that_cannot_be_says_why_and_where_the_history_begins() {
    for transport in Transport::ALL {
        let server = TestServer::with(|config| {
            config.limits.publish_per_second = 0;
            let mut public = config.namespaces.get("public").unwrap().clone();
            public.history_size = KEPT;
            config.namespaces.insert("public", public);
        })
        .await;
        let mut talker = Talker::connect(&server, transport, &token("u")).await;
        publish(&mut talker, "public:a", PUBLISHED).await;
        publish(&mut talker, "user:u", PUBLISHED).await;
        let of_a = epoch(&mut talker, "public:a").await;
        let of_own = epoch(&mut talker, "user:u").await;
        let oldest = PUBLISHED - KEPT + 1;
        let rows = [
            (
                "public:a",
                json!({"seq": oldest - 2, "epoch": of_a}),
                "trimmed",
                oldest,
            ),
            (
                "public:a",
                json!({"seq": PUBLISHED + 1, "epoch": of_a}),
                "position_ahead",
                oldest,
            ),
            (
                "public:a",
                json!({"seq": PUBLISHED, "epoch": "another"}),
                "epoch_changed",
                oldest,
            ),
            ("user:u", json!({"seq": 10, "epoch": of_own}), "limit", 1),
        ];
        for (topic, since, reason, oldest) in rows {
            let answer = talker
                .ask("subscribe", &json!({"topic": topic, "since": since}))
                .await
                .body();
            let told = (
                &answer["recovered"],
                &answer["reason"],
                &answer["oldestSeq"],
                &answer["seq"],
            );
            let expected = (&json!(false), &json!(reason), &json!(oldest), &json!(PUBLISHED));
            assert_eq!(told, expected, "{transport:?} {topic} {reason}");
            let newest: Vec<_> = answer["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| &one["seq"])
                .collect();
            assert_eq!(
                (newest.len(), newest.last()),
                (50, Some(&&json!(PUBLISHED))),
                "{transport:?} {reason}"
            );
        }
        let whole = json!({"topic": "public:a", "since": {"seq": oldest - 1, "epoch": of_a}});
        let answer = talker.ask("subscribe", &whole).await.body();
        assert_eq!(
            answer["recovered"], true,
            "{transport:?}: to the last one that is kept"
        );
    }
}

#[tokio::test]
async fn a_server_that_ends_tells_authors_how_many_have_confirmed() {
    for transport in Transport::ALL {
        let mut server = TestServer::start().await;
        let mut author = Talker::connect(&server, transport, &token("author")).await;
        let mut readers = Vec::new();
        for name in ["a", "b"] {
            let mut reader = Talker::connect(&server, transport, &token(name)).await;
            reader
                .ask("subscribe", &json!({"topic": "public:a"}))
                .await
                .body();
            readers.push(reader);
        }
        let publish = json!({"topic": "public:a", "payload": 1, "requireDelivery": true});
        let published = author.ask("publish", &publish).await.body();
        // Each binding has its own word for the server's id of the message.
        let id = match transport {
            Transport::SocketIo => published["messageId"].clone(),
            Transport::Raw => published["id"].clone(),
        };
        readers[0].send("ack", &json!({"id": id})).await;
        // Behind its answer the confirmation has arrived.
        readers[0]
            .ask("presence", &json!({"topic": "public:a"}))
            .await
            .body();
        let stopped = tokio::spawn(async move { server.stop().await });
        let delivery = author.event("delivery").await;
        let told = (
            &delivery["messageId"],
            &delivery["confirmed"],
            &delivery["pending"],
        );
        assert_eq!(told, (&id, &json!(1), &json!(1)), "{transport:?}");
        assert_eq!(author.event("closing").await["code"], 1012, "{transport:?}");
        stopped.await.unwrap();
    }
}

#[tokio::test]
async fn a_right_that_is_lost_is_told_and_nothing_of_the_channel_follows() {
    for transport in Transport::ALL {
        let server = TestServer::start().await;
        let admin = token_with("u", &json!({"role": "admin"}));
        let mut talker = Talker::connect(&server, transport, &admin).await;
        for topic in ["private:a", "public:a"] {
            talker.ask("subscribe", &json!({"topic": topic})).await.body();
        }
        let accounts = &server.node().accounts;
        accounts.set_role(&UserId::new("u"), Role::User).await.unwrap();
        let lost = talker.event("unsubscribed").await;
        assert_eq!(
            (&lost["topic"], &lost["code"]),
            (&json!("private:a"), &json!("permission_denied"))
        );
        assert!(lost["message"].as_str().unwrap().contains("private:a"), "{lost}");
        let writer = token_with("w", &json!({"role": "admin"}));
        let mut writer = Talker::connect(&server, Transport::SocketIo, &writer).await;
        for topic in ["private:a", "public:a"] {
            writer
                .ask("publish", &json!({"topic": topic, "payload": 1}))
                .await
                .body();
        }
        let name = match transport {
            Transport::SocketIo => "message",
            Transport::Raw => "data",
        };
        let next = match &mut talker {
            Talker::SocketIo(client) => client.event(name).await["topic"].clone(),
            Talker::Raw(client) => client.frame(name).await["topic"].clone(),
        };
        assert_eq!(
            next, "public:a",
            "{transport:?}: nothing of the other came before"
        );
    }
}

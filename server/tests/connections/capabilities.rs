//! Capabilities in a token open their channels and no others, on both transports (SPEC §3).

use serde_json::json;

use crate::support::{TestServer, token_with};
use crate::talker::{Talker, Transport};

/// What a holder of these permissions may do on each channel: `rw`, `r`, `w` or `-`.
async fn check(server: &TestServer, permissions: &[&str], expected: &[(&str, &str)]) {
    let token = token_with("holder", &json!({"permissions": permissions}));
    for transport in Transport::ALL {
        let mut holder = Talker::connect(server, transport, &token).await;
        for (topic, may) in expected {
            let mut found = String::new();
            for (verbs, letter) in [
                (&["subscribe", "history", "presence"][..], 'r'),
                (&["publish"], 'w'),
            ] {
                let mut codes = Vec::new();
                for verb in verbs {
                    codes.push(holder.code(verb, topic).await);
                }
                codes.dedup();
                match &codes[..] {
                    [one] if one == "ok" => found.push(letter),
                    [one] if one == "permission_denied" => {}
                    other => panic!("{verbs:?} on {topic} over {transport:?}: {other:?}"),
                }
            }
            let found = if found.is_empty() { "-" } else { &found };
            assert_eq!(found, *may, "{topic} with {permissions:?} over {transport:?}");
        }
    }
}

#[tokio::test]
async fn a_capability_in_the_token_opens_its_channels_for_its_verb() {
    let server = TestServer::start().await;
    check(
        &server,
        &["channel:private:team"],
        &[
            ("private:team", "rw"),
            ("private:team:x", "-"),
            ("private:teams", "-"),
        ],
    )
    .await;
    check(
        &server,
        &["channel:private:team:*"],
        &[
            ("private:team", "-"),
            ("private:team:x", "rw"),
            ("private:team:x:y", "rw"),
            ("private:teams:x", "-"),
        ],
    )
    .await;
    check(
        &server,
        &["subscribe:private:board", "publish:private:box"],
        &[("private:board", "r"), ("private:box", "w")],
    )
    .await;
    check(
        &server,
        &["subscribe:user:12:*", "publish:system:*"],
        &[
            ("user:12:inbox", "r"),
            ("user:12", "-"),
            ("system:news", "rw"),
            ("user:123:inbox", "-"),
        ],
    )
    .await;
    check(
        &server,
        &[
            "channel:*",
            "channel:",
            "*",
            "private:team",
            "channel:private:*x",
            "CHANNEL:private:team",
        ],
        &[("private:team", "-"), ("private:x", "-"), ("lobby", "rw")],
    )
    .await;
}

#[tokio::test]
async fn a_capability_reaches_a_guest_and_no_namespace_that_is_not_there() {
    let server = TestServer::start().await;
    let claims = json!({"role": "guest", "permissions": ["subscribe:public:lobby", "channel:nowhere:*"]});
    for transport in Transport::ALL {
        let mut guest = Talker::connect(&server, transport, &token_with("visitor", &claims)).await;
        assert_eq!(guest.code("subscribe", "public:lobby").await, "ok");
        assert_eq!(guest.code("publish", "public:lobby").await, "permission_denied");
        assert_eq!(guest.code("subscribe", "nowhere:x").await, "channel_not_found");
    }
}

#[tokio::test]
async fn who_lost_the_right_recovers_nothing() {
    let server = TestServer::start().await;
    let claims = |permissions: &[&str]| json!({"permissions": permissions});
    let with = token_with("reader", &claims(&["channel:private:team"]));
    let without = token_with("reader", &claims(&[]));
    for transport in Transport::ALL {
        let mut reader = Talker::connect(&server, transport, &with).await;
        let topic = json!({"topic": "private:team"});
        let epoch = reader.ask("subscribe", &topic).await.body()["epoch"].clone();
        assert_eq!(reader.code("publish", "private:team").await, "ok");
        drop(reader);
        let mut reader = Talker::connect(&server, transport, &without).await;
        let since = json!({"topic": "private:team", "since": {"seq": 0, "epoch": epoch}});
        assert_eq!(reader.ask("subscribe", &since).await.code(), "permission_denied");
        let batch = reader
            .ask("subscribe", &json!({"topics": [since, {"topic": "lobby"}]}))
            .await
            .body();
        let codes = [&batch["results"][0]["messages"], &batch["results"][1]["topic"]];
        assert_eq!(codes, [&json!(null), &json!("lobby")], "{batch}");
    }
}

//! Every option of a namespace has its effect (SPEC §3), through a real server.

use std::time::Duration;

use bmt_server::config::Config;
use bmt_shared::channel::ChannelName;
use bmt_shared::namespace::{Access, Durability, Namespace};
use serde_json::{Value, json};

use crate::support::{TestServer, token, token_with, within};
use crate::talker::{Talker, Transport};

/// A server with the namespace `news`, open to users, changed by the test.
async fn server(change: impl FnOnce(&mut Namespace)) -> TestServer {
    TestServer::with(|config| add_news(config, change)).await
}

fn add_news(config: &mut Config, change: impl FnOnce(&mut Namespace)) {
    let mut news = Namespace::stored(Access::Users, Access::Users);
    change(&mut news);
    config.namespaces.insert("news", news);
    config.limits.publish_per_second = 0;
}

async fn user(server: &TestServer, id: &str) -> Talker {
    Talker::connect(server, Transport::SocketIo, &token(id)).await
}

async fn with_role(server: &TestServer, role: &str) -> Talker {
    let token = token_with(role, &json!({"role": role}));
    Talker::connect(server, Transport::SocketIo, &token).await
}

async fn publish(talker: &mut Talker, topic: &str, payload: Value) -> u64 {
    let body = json!({"topic": topic, "payload": payload});
    talker.ask("publish", &body).await.body()["seq"].as_u64().unwrap()
}

async fn kept(talker: &mut Talker, topic: &str) -> Vec<u64> {
    let page = talker
        .ask("history", &json!({"topic": topic, "limit": 200}))
        .await
        .body();
    let messages = page["messages"].as_array().unwrap().iter();
    messages.map(|message| message["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn subscribe_and_publish_say_who_may() {
    let server = server(|news| {
        news.publish = Access::Admins;
        news.guest_channels = vec![ChannelName::parse("news:front").unwrap()];
    })
    .await;
    let mut one = user(&server, "one").await;
    let mut admin = with_role(&server, "admin").await;
    let mut guest = with_role(&server, "guest").await;
    assert_eq!(one.code("subscribe", "news:back").await, "ok");
    assert_eq!(one.code("publish", "news:back").await, "permission_denied");
    assert_eq!(admin.code("publish", "news:back").await, "ok");
    assert_eq!(guest.code("subscribe", "news:front").await, "ok");
    assert_eq!(guest.code("subscribe", "news:back").await, "permission_denied");
    assert_eq!(guest.code("publish", "news:front").await, "permission_denied");
}

#[tokio::test]
async fn guests_write_where_users_may_and_the_channel_is_theirs() {
    let server = server(|news| news.guest_channels = vec![ChannelName::parse("news:front").unwrap()]).await;
    let mut guest = with_role(&server, "guest").await;
    assert_eq!(guest.code("publish", "news:front").await, "ok");
    assert_eq!(guest.code("publish", "news:back").await, "permission_denied");
}

#[tokio::test]
async fn where_no_presence_is_kept_asking_for_it_says_so() {
    let server = server(|news| news.presence = false).await;
    let mut one = user(&server, "one").await;
    for topic in ["news:never-used", "news:used"] {
        assert_eq!(one.code("presence", topic).await, "invalid_operation");
        let body = json!({"topic": topic, "presence": true});
        let subscribed = one.ask("subscribe", &body).await.body();
        assert!(subscribed.get("presence").is_none(), "{subscribed}");
        assert_eq!(one.code("presence", topic).await, "invalid_operation");
    }
    assert_eq!(one.code("presence", "public:chat").await, "ok");
}

#[tokio::test]
async fn without_join_leave_presence_is_a_list_and_no_events() {
    let server = server(|news| news.join_leave = false).await;
    let mut watcher = user(&server, "watcher").await;
    let watch = |topic: &str| json!({"topic": topic, "presence": true});
    watcher.ask("subscribe", &watch("news:a")).await.body();
    watcher.ask("subscribe", &watch("public:a")).await.body();
    let mut other = user(&server, "other").await;
    other.ask("subscribe", &watch("news:a")).await.body();
    // Told after the one that must not be told: the first event that comes is this one's.
    other.ask("subscribe", &watch("public:a")).await.body();
    assert_eq!(watcher.event("presence").await["topic"], "public:a");
    let list = watcher.ask("presence", &json!({"topic": "news:a"})).await.body();
    assert_eq!(list["count"], 2);
}

#[tokio::test]
async fn history_size_keeps_the_newest() {
    let server = server(|news| news.history_size = 3).await;
    let mut one = user(&server, "one").await;
    for number in 1..=5 {
        assert_eq!(publish(&mut one, "news:a", json!(number)).await, number);
    }
    assert_eq!(kept(&mut one, "news:a").await, [3, 4, 5]);
}

#[tokio::test]
async fn history_ttl_trims_what_is_old_and_a_recovery_says_so() {
    let server = server(|news| news.history_ttl_ms = 300).await;
    let mut one = user(&server, "one").await;
    let epoch = one.ask("subscribe", &json!({"topic": "news:a"})).await.body()["epoch"].clone();
    publish(&mut one, "news:a", json!(1)).await;
    publish(&mut one, "public:a", json!(1)).await;
    let trimmed = async {
        while !kept(&mut one, "news:a").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the message's end", trimmed).await;
    assert_eq!(kept(&mut one, "public:a").await, [1]);
    let since = json!({"topic": "news:a", "since": {"seq": 0, "epoch": epoch}});
    let recovered = one.ask("subscribe", &since).await.body();
    assert_eq!(
        (&recovered["recovered"], &recovered["reason"]),
        (&json!(false), &json!("trimmed"))
    );
    assert_eq!(recovered["oldestSeq"], 2);
}

#[tokio::test]
async fn a_full_channel_refuses_the_next_subscriber_until_one_leaves() {
    let server = server(|news| news.max_subscribers = 2).await;
    let mut first = user(&server, "1").await;
    let mut second = Talker::connect(&server, Transport::Raw, &token("2")).await;
    for transport in Transport::ALL {
        let mut third = Talker::connect(&server, transport, &token("3")).await;
        assert_eq!(first.code("subscribe", "news:a").await, "ok");
        assert_eq!(second.code("subscribe", "news:a").await, "ok");
        assert_eq!(third.code("subscribe", "news:a").await, "subscribe_failed");
        assert_eq!(
            third.code("subscribe", "news:b").await,
            "ok",
            "it is the channel that is full"
        );
        assert_eq!(
            first.code("subscribe", "news:a").await,
            "ok",
            "twice is not one more"
        );
        assert_eq!(second.code("unsubscribe", "news:a").await, "ok");
        assert_eq!(third.code("subscribe", "news:a").await, "ok");
        assert_eq!(third.code("unsubscribe", "news:a").await, "ok");
    }
}

/// What a restart leaves of a topic with three messages: their seqs, and whether the epoch is the same.
async fn after_restart(durability: Durability) -> (Vec<u64>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        TestServer::with(|config| {
            config.store.data_dir = folder.path().to_owned();
            add_news(config, |news| news.durability = durability);
        })
    };
    let subscribe = json!({"topic": "news:a"});
    let mut server = start().await;
    let mut one = user(&server, "one").await;
    for number in 1..=3 {
        publish(&mut one, "news:a", json!(number)).await;
    }
    let epoch = one.ask("subscribe", &subscribe).await.body()["epoch"].clone();
    server.stop().await;
    let server = start().await;
    let mut one = user(&server, "one").await;
    let again = one.ask("subscribe", &subscribe).await.body()["epoch"].clone();
    (kept(&mut one, "news:a").await, epoch == again)
}

#[tokio::test]
async fn stored_messages_outlive_a_restart_and_those_in_memory_do_not() {
    assert_eq!(after_restart(Durability::Stored).await, (vec![1, 2, 3], true));
    assert_eq!(after_restart(Durability::Memory).await, (vec![], false));
}

#[tokio::test]
async fn what_is_not_durable_at_all_is_numbered_and_delivered_and_not_kept() {
    let server = server(|news| news.durability = Durability::None).await;
    let mut reader = user(&server, "reader").await;
    reader.ask("subscribe", &json!({"topic": "news:a"})).await.body();
    let mut writer = user(&server, "writer").await;
    publish(&mut writer, "news:a", json!("first")).await;
    assert_eq!(publish(&mut writer, "news:a", json!("second")).await, 2);
    assert_eq!(reader.event("message").await["payload"], "first");
    assert_eq!(reader.event("message").await["seq"], 2);
    assert_eq!(kept(&mut reader, "news:a").await, [0; 0]);
}

#[tokio::test]
async fn the_servers_figures_are_kept_in_memory_three_hundred_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        TestServer::with(|config| {
            config.store.data_dir = folder.path().to_owned();
            config.limits.publish_per_second = 0;
        })
    };
    let mut server = start().await;
    let mut admin = with_role(&server, "admin").await;
    for _ in 0..2 {
        let entry = |topic: &str| json!({"topic": topic, "payload": 1});
        let mut messages = vec![entry("system:metrics"); 160];
        messages.push(entry("system:news"));
        let published = admin.ask("publish", &json!({"messages": messages})).await.body();
        assert!(
            published["results"]
                .as_array()
                .unwrap()
                .iter()
                .all(|one| one["status"] == "success")
        );
    }
    let newest = |before: u64| json!({"topic": "system:metrics", "before": before, "limit": 200});
    let page = admin.ask("history", &newest(121)).await.body();
    let seqs = (&page["messages"][0]["seq"], &page["seq"], &page["hasMore"]);
    assert_eq!(seqs, (&json!(21), &json!(320), &json!(false)));
    server.stop().await;
    let server = start().await;
    let mut admin = with_role(&server, "admin").await;
    assert_eq!(kept(&mut admin, "system:metrics").await, [0; 0]);
    assert_eq!(kept(&mut admin, "system:news").await, [1, 2]);
}

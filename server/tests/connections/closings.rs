//! Each cause for which the server closes a connection, with its code and whether the client may return: the event
//! `closing` comes first (SPEC §4, §5.6, §7).

use bmt_server::config::Config;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::raw::RawClient;
use crate::support::{Client, Polling, TestServer, hasty, token, token_with, unix_ms, within};
use crate::talker::{Talker, Transport};

/// What is to follow on `closing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// After a while: the transport is closed, and no DISCONNECT is sent.
    Later,
    /// Not by itself: a DISCONNECT.
    Never,
}

/// Waits for the end, and holds it to what is told and sent.
pub(crate) async fn ends_with(talker: Talker, code: u16, reason: &str, may_return: Return) {
    let told = |closing: &Value, transport: &str| {
        assert_eq!(
            (&closing["code"], &closing["reason"]),
            (&json!(code), &json!(reason)),
            "{transport}"
        );
        let retry = closing["retryAfterMs"].as_u64();
        assert_eq!(
            retry.is_some(),
            may_return == Return::Later,
            "{transport}: {closing}"
        );
    };
    match talker {
        Talker::SocketIo(mut client) => {
            told(&client.event("closing").await, "Socket.IO");
            let rest = client.rest().await;
            assert_eq!(
                rest.contains(&"41".to_owned()),
                may_return == Return::Never,
                "{reason}: {rest:?}"
            );
        }
        Talker::Raw(mut client) => {
            told(&client.frame("closing").await["data"], "raw");
            assert_eq!(client.socket.close_code().await, Some(code));
        }
    }
}

/// One connection of `u`.
async fn connected(transport: Transport, change: impl FnOnce(&mut Config)) -> (TestServer, Talker) {
    let server = TestServer::with(change).await;
    let talker = Talker::connect(&server, transport, &token("u")).await;
    (server, talker)
}

#[tokio::test]
async fn who_is_kicked_stays_away() {
    for transport in Transport::ALL {
        let (server, talker) = connected(transport, |_| ()).await;
        let admin = token_with("root", &json!({"role": "admin"}));
        let http = reqwest::Client::new();
        let list = http.get(server.url("/api/v1/connections")).bearer_auth(&admin);
        let list: Value = list.send().await.unwrap().json().await.unwrap();
        let id = list["connections"][0]["connectionId"].as_str();
        let id = id.unwrap_or_else(|| panic!("{list}")).to_owned();
        let kick = http.delete(server.url(&format!("/api/v1/connections/{id}")));
        assert!(
            kick.bearer_auth(&admin)
                .send()
                .await
                .unwrap()
                .status()
                .is_success()
        );
        ends_with(talker, 4002, "kicked", Return::Never).await;
        server.emptied().await;
    }
}

#[tokio::test]
async fn who_goes_on_as_somebody_else_stays_away() {
    for transport in Transport::ALL {
        let (server, mut talker) = connected(transport, |_| ()).await;
        talker.send("refresh", &json!({"token": token("other")})).await;
        ends_with(talker, 1008, "another_user", Return::Never).await;
        server.emptied().await;
    }
}

#[tokio::test]
async fn whose_token_ends_needs_another_one() {
    for transport in Transport::ALL {
        let server = TestServer::start().await;
        let short = token_with("u", &json!({"exp": unix_ms() / 1_000 + 2}));
        let talker = Talker::connect(&server, transport, &short).await;
        ends_with(talker, 4001, "token_expired", Return::Never).await;
        server.emptied().await;
    }
}

#[tokio::test]
async fn a_polling_session_whose_token_ends_is_announced_told_and_disconnected() {
    let server = TestServer::start().await;
    let polling = Polling::open(&server).await;
    let short = token_with("u", &json!({"exp": unix_ms() / 1_000 + 3}));
    let connect = format!("40{}", json!({"token": short}));
    assert_eq!(polling.post(connect).await.0, 200);
    let mut heard = String::new();
    // What comes in one poll and what in the next is left to chance.
    let told = async {
        while !heard.contains("\"closing\"") || !heard.contains("\u{1e}41") && !heard.ends_with("41") {
            let (status, packets) = polling.get().await;
            if status != 200 {
                break;
            }
            heard.push('\u{1e}');
            heard.push_str(&packets);
            if packets.split('\u{1e}').any(|packet| packet == "2") {
                polling.post("3").await;
            }
        }
    };
    within("the end of the session", told).await;
    for word in ["token_expiring", "\"closing\"", "4001", "token_expired"] {
        assert!(heard.contains(word), "{word}: {heard}");
    }
    server.emptied().await;
}

#[tokio::test]
async fn one_connection_more_than_its_user_may_have_comes_back_later() {
    for transport in Transport::ALL {
        let (server, _first) = connected(transport, |config| config.limits.connections_per_user = 1).await;
        let second = Talker::connect(&server, transport, &token("u")).await;
        ends_with(second, 4005, "connections_per_user", Return::Later).await;
    }
}

#[tokio::test]
async fn who_is_silent_for_a_heartbeat_comes_back() {
    let server = TestServer::with(hasty).await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    // Reading answers pings, so nothing is read until the server has noticed.
    let noticed = async {
        while server.count().0 > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within("the server to notice", noticed).await;
    let closing = client.frame("closing").await;
    assert_eq!(closing["data"]["code"], 4004);
    assert!(closing["data"]["retryAfterMs"].is_u64(), "{closing}");
    assert_eq!(client.socket.close_code().await, Some(4004));
}

#[tokio::test]
async fn the_end_of_the_server_is_a_reason_to_come_back() {
    for transport in Transport::ALL {
        let (mut server, talker) = connected(transport, |_| ()).await;
        let ended = tokio::spawn(ends_with(talker, 1012, "restart", Return::Later));
        server.stop().await;
        ended.await.unwrap();
    }
}

/// A token that only a key of others could vouch for. Nobody gets as far as its signature.
const OF_OTHERS: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl";

#[tokio::test]
async fn a_token_that_cannot_be_judged_because_no_keys_could_be_read_is_no_bad_token() {
    let server = TestServer::with(|config| {
        // Nobody listens on port 1.
        config.auth.jwks_url = "http://127.0.0.1:1/jwks".to_owned();
    })
    .await;
    let me = reqwest::Client::new()
        .get(server.url("/api/v1/auth/me"))
        .bearer_auth(OF_OTHERS);
    let me = me.send().await.unwrap();
    assert_eq!(me.status(), 503);
    assert!(me.headers().contains_key("retry-after"));

    let protocols = format!("bmt.v1, bearer.{OF_OTHERS}");
    let headers = [("sec-websocket-protocol", protocols)];
    let socket = crate::support::Socket::open(&server.url("/api/v1/ws"), &headers).await;
    let mut socket = socket.unwrap();
    let closing: Value = serde_json::from_str(&socket.text().await).unwrap();
    assert_eq!(
        (&closing["type"], &closing["data"]["code"]),
        (&json!("closing"), &json!(1013))
    );
    assert!(closing["data"]["retryAfterMs"].is_u64(), "{closing}");
    assert_eq!(socket.close_code().await, Some(1013));

    let connect = format!("40{}", json!({"token": OF_OTHERS}));
    let mut client = Client::open(&server).await;
    client.socket.send(connect.clone()).await;
    let rest = client.rest().await;
    assert!(!rest.iter().any(|packet| packet.starts_with("44")), "{rest:?}");

    let polling = Polling::open(&server).await;
    polling.post(connect).await;
    let ended = async {
        loop {
            let (status, packets) = polling.get().await;
            assert!(!packets.contains("44{"), "{packets}");
            if status != 200 {
                return;
            }
        }
    };
    within("the end of the session", ended).await;
    server.emptied().await;
    // A token that no key of others could save is a bad one, now as ever.
    let mut client = Client::open(&server).await;
    client
        .socket
        .send(format!("40{}", json!({"token": token("u")})))
        .await;
    let refused = client.packet().await;
    assert!(
        refused.contains("Authentication failed: invalid_signature"),
        "{refused}"
    );
}

/// RFC 6455 has its own codes for who breaks its rules; only who said too much at once may come back (SPEC §7).
#[tokio::test]
async fn who_breaks_the_rules_of_raw_is_told_which_before_the_close() {
    let server = TestServer::start().await;
    let text = |bytes: Vec<u8>| Message::Frame(Frame::message(bytes, OpCode::Data(Data::Text), true));
    let unknown = Message::Frame(Frame::message("", OpCode::Data(Data::Reserved(3)), true));
    for (broken, code, reason, may_return) in [
        (unknown, 1002, "protocol_error", Return::Never),
        (text(vec![b'{', 0xff, b'}']), 1007, "invalid_utf8", Return::Never),
        (
            text(vec![b' '; 200_000]),
            1009,
            "message_too_large",
            Return::Later,
        ),
    ] {
        let mut talker = Talker::connect(&server, Transport::Raw, &token("u")).await;
        if let Talker::Raw(raw) = &mut talker {
            raw.socket.try_send(broken).await.unwrap();
        }
        ends_with(talker, code, reason, may_return).await;
        server.emptied().await;
    }
}

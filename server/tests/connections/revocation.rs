//! Rights that are taken away are gone from live connections within a second (SPEC §2).

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use bmt_server::accounts::{Accounts, Login};
use bmt_server::auth::ANY_ISSUER;
use bmt_server::config::{Config, Mode};
use bmt_shared::id::UserId;
use bmt_shared::identity::Role;
use futures_util::future::join_all;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::raw::RawClient;
use crate::support::{Client, Polling, Socket, TestServer, WEBSOCKET, token, token_with, unix_ms};

/// What is promised (SPEC §2).
const SOON: Duration = Duration::from_secs(1);

/// Logs an account of dev mode in; answers with the login and its access token.
async fn login(server: &TestServer, username: &str) -> (Login, String) {
    let node = server.node();
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let login = node
        .accounts
        .login(username, "password", here, unix_ms())
        .await
        .unwrap();
    let access = node.authenticator.issue(&login.user, &login.session, unix_ms());
    (login, access.token)
}

/// Why a token is refused at the door.
async fn refusal(server: &TestServer, token: &str) -> String {
    let mut socket = Socket::open(&server.url(WEBSOCKET), &[]).await.unwrap();
    socket.text().await;
    socket.send(format!("40{}", json!({"token": token}))).await;
    loop {
        let text = socket.text().await;
        // The first ping comes at once.
        if text != "2" {
            return text;
        }
    }
}

#[tokio::test]
async fn a_blocked_account_loses_every_connection_within_a_second_and_stays_out() {
    let server = TestServer::start().await;
    let (alice, token) = login(&server, "alice").await;
    let (_, of_bob) = login(&server, "bob").await;
    let mut socketio = Client::connect_with(&server, &token).await;
    let mut raw = RawClient::connect(&server, &token).await;
    let mut bob = RawClient::connect(&server, &of_bob).await;
    let began = Instant::now();
    server.node().accounts.block(&alice.user.user_id).await.unwrap();
    let closing = socketio.event("closing").await;
    assert_eq!(
        (&closing["code"], &closing["reason"]),
        (&json!(4002), &json!("revoked"))
    );
    assert_eq!(closing.get("retryAfterMs"), None);
    assert_eq!(
        socketio.packet().await,
        "41",
        "official clients stay away after a DISCONNECT"
    );
    assert_eq!(raw.frame("closing").await["data"]["code"], 4002);
    assert_eq!(raw.socket.close_code().await, Some(4002));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(
        refusal(&server, &token)
            .await
            .contains("Authentication failed: revoked")
    );
    let published = bob
        .request("publish", &json!({"topic": "public:a", "payload": 1}))
        .await;
    assert_eq!(published["type"], "ack", "bystanders hold");
}

#[tokio::test]
async fn a_blocked_user_of_an_own_back_end_is_out_too_over_polling_as_well() {
    let server = TestServer::start().await;
    let mut raw = RawClient::connect(&server, &token("42")).await;
    let polling = Polling::connect(&server, "42").await;
    let polled = tokio::spawn(async move { polling.until("closing").await });
    let user = UserId::new("42");
    server.node().accounts.block(&user).await.unwrap();
    assert_eq!(raw.frame("closing").await["data"]["code"], 4002);
    assert!(polled.await.unwrap().contains("4002"));
    assert!(refusal(&server, &token("42")).await.contains("revoked"));
    server.node().accounts.unblock(&user).await.unwrap();
    Client::connect(&server, "42").await;
}

#[tokio::test]
async fn a_logout_ends_the_connections_of_its_login_and_no_others() {
    let server = TestServer::start().await;
    let (here, token_here) = login(&server, "alice").await;
    let (_, token_there) = login(&server, "alice").await;
    let mut one = Client::connect_with(&server, &token_here).await;
    let mut other = Client::connect_with(&server, &token_there).await;
    server
        .node()
        .accounts
        .logout(here.session, unix_ms())
        .await
        .unwrap();
    assert_eq!(one.event("closing").await["reason"], "revoked");
    let subscribed = other.request("subscribe", &json!({"topic": "public:a"})).await;
    assert_eq!(subscribed["status"], "success");
    let accounts = &server.node().accounts;
    let ended = accounts
        .logout_everywhere(&here.user.user_id, None, unix_ms())
        .await;
    assert_eq!(ended.unwrap(), 1);
    assert_eq!(other.event("closing").await["code"], 4002);
}

#[tokio::test]
async fn a_lower_role_takes_its_subscriptions_from_a_live_connection_and_a_higher_one_opens_more() {
    let server = TestServer::start().await;
    let admin = token_with("u", &json!({"role": "admin"}));
    let mut client = Client::connect_with(&server, &admin).await;
    for topic in ["private:a", "public:a"] {
        client.request("subscribe", &json!({"topic": topic})).await;
    }
    let user = UserId::new("u");
    let accounts = &server.node().accounts;
    accounts.set_role(&user, Role::User).await.unwrap();
    let lost = client.event("unsubscribed").await;
    assert_eq!(
        (&lost["topic"], &lost["code"]),
        (&json!("private:a"), &json!("permission_denied"))
    );
    let refused = client
        .request("publish", &json!({"topic": "private:a", "payload": 1}))
        .await;
    assert_eq!(refused["code"], "permission_denied");
    // The token still says admin; the store outranks it at a refresh, too.
    client.request("refresh", &json!({"token": admin})).await;
    let refused = client.request("subscribe", &json!({"topic": "private:a"})).await;
    assert_eq!(refused["code"], "permission_denied");
    let mut writer = Client::connect_with(&server, &token_with("w", &json!({"role": "admin"}))).await;
    for topic in ["private:a", "public:a"] {
        writer
            .request("publish", &json!({"topic": topic, "payload": 1}))
            .await;
    }
    assert_eq!(
        client.event("message").await["topic"],
        "public:a",
        "nothing of the other came before"
    );

    accounts.set_role(&user, Role::Admin).await.unwrap();
    let opened = client.request("subscribe", &json!({"topic": "private:a"})).await;
    assert_eq!(opened["status"], "success");
}

#[tokio::test]
async fn a_removed_account_is_out_and_its_id_is_nobody_elses() {
    let server = TestServer::start().await;
    let (alice, access) = login(&server, "alice").await;
    let mut raw = RawClient::connect(&server, &access).await;
    server.node().accounts.remove(&alice.user.user_id).await.unwrap();
    assert_eq!(raw.frame("closing").await["data"]["code"], 4002);
    let forged = token(alice.user.user_id.as_str());
    assert!(
        refusal(&server, &forged)
            .await
            .contains("Authentication failed: malformed")
    );
}

#[tokio::test]
async fn what_another_process_takes_away_is_gone_from_live_connections_too() {
    let server = TestServer::start().await;
    let (alice, access) = login(&server, "alice").await;
    let (bob, access_of_bob) = login(&server, "bob").await;
    let mut blocked = RawClient::connect(&server, &access).await;
    let mut logged_out = RawClient::connect(&server, &access_of_bob).await;
    let mut bystander = RawClient::connect(&server, &token("42")).await;
    // As `bmt-server user` opens it.
    let path = server.data_dir().join("accounts.db");
    let config = Config::defaults(Mode::Production);
    let beside = Accounts::open_for_command(&path, true, &config, unix_ms()).unwrap();
    let began = Instant::now();
    beside.block(&alice.user.user_id).await.unwrap();
    beside.logout(bob.session, unix_ms()).await.unwrap();
    assert_eq!(blocked.frame("closing").await["data"]["code"], 4002);
    assert_eq!(logged_out.frame("closing").await["data"]["code"], 4002);
    assert!(began.elapsed() < SOON + SOON, "{:?}", began.elapsed());
    assert!(refusal(&server, &access).await.contains("revoked"));
    let answer = bystander.request("presence", &json!({"topic": "public:a"})).await;
    assert_eq!(answer["type"], "ack");
}

#[tokio::test]
async fn of_more_revocations_at_once_than_a_listener_can_be_behind_none_is_missed() {
    /// Several times what is kept for a slow listener.
    const CROWD: usize = 5_000;
    const CONCERNED: usize = 10;
    let server = TestServer::start().await;
    // They stand before the crowd: told first, and so the first to be pushed out of what is kept.
    let concerned: Vec<String> = (0..CONCERNED).map(|n| format!("a{n}")).collect();
    let mut over_raw = Vec::new();
    let mut over_socketio = Vec::new();
    for user in &concerned {
        over_raw.push(RawClient::connect(&server, &token(user)).await);
        over_socketio.push(Client::connect(&server, user).await);
    }
    let mut bystander = RawClient::connect(&server, &token("c")).await;
    // All in one commit, as a command that puts a list in force would.
    let mut database = Connection::open(server.data_dir().join("accounts.db")).unwrap();
    let all = database.transaction().unwrap();
    for user in concerned
        .iter()
        .cloned()
        .chain((0..CROWD).map(|n| format!("b{n}")))
    {
        all.execute(
            "INSERT INTO account (user_id, issuer, subject, name, blocked, created_ms) \
             VALUES (?1, ?2, ?1, ?1, 1, 0)",
            params![user, ANY_ISSUER],
        )
        .unwrap();
    }
    all.commit().unwrap();
    let began = Instant::now();
    let raw_ends = join_all(
        over_raw
            .iter_mut()
            .map(async |client| client.socket.close_code().await),
    )
    .await;
    assert_eq!(raw_ends, vec![Some(4002); CONCERNED]);
    let closings = join_all(
        over_socketio
            .iter_mut()
            .map(async |client| client.event("closing").await),
    )
    .await;
    assert!(
        closings.iter().all(|closing| closing["reason"] == "revoked"),
        "{closings:?}"
    );
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let answer = bystander.request("presence", &json!({"topic": "public:a"})).await;
    assert_eq!(
        answer["type"], "ack",
        "who was asked about and is not concerned stays"
    );
    assert_eq!(server.count().0, 1);
}

#[tokio::test]
async fn a_ticket_opens_one_connection_over_either_endpoint_and_no_second_one() {
    let server = TestServer::start().await;
    let (alice, access) = login(&server, "alice").await;
    let authenticator = &server.node().authenticator;
    let ticket = || {
        let identity = authenticator.authenticate(Some(&access), unix_ms()).unwrap();
        authenticator.issue_ticket(identity, unix_ms()).unwrap()
    };
    let one = ticket();
    let mut raw = RawClient::open(&server, &format!("ticket={one}")).await;
    let hello = raw.frame("connect").await;
    assert_eq!(hello["data"]["user"]["userId"], alice.user.user_id.as_str());
    let mut again = RawClient::open(&server, &format!("ticket={one}")).await;
    assert_eq!(again.frame("error").await["data"]["code"], 1001);
    assert_eq!(
        again.socket.close_code().await,
        Some(4001),
        "with a new one it may come back"
    );

    let two = ticket();
    let connect = format!("40{}", json!({"ticket": two}));
    let mut client = Client::open(&server).await;
    client.socket.send(connect.clone()).await;
    assert_eq!(
        client.event("connected").await["user"]["userId"],
        alice.user.user_id.as_str()
    );
    let mut late = Client::open(&server).await;
    late.socket.send(connect).await;
    assert!(late.packet().await.contains("Authentication failed: expired"));

    // Neither passes for the other.
    let mut wrong = RawClient::open(&server, &format!("ticket={access}")).await;
    assert_eq!(wrong.socket.close_code().await, Some(1008));
    assert!(
        refusal(&server, &ticket())
            .await
            .contains("Authentication failed: malformed")
    );

    // A ticket of somebody who was blocked since opens nothing; a connection by a ticket ends with its login.
    let three = ticket();
    server
        .node()
        .accounts
        .logout(alice.session, unix_ms())
        .await
        .unwrap();
    assert_eq!(raw.frame("closing").await["data"]["code"], 4002);
    assert_eq!(client.event("closing").await["code"], 4002);
    let mut blocked = RawClient::open(&server, &format!("ticket={three}")).await;
    assert_eq!(blocked.socket.close_code().await, Some(1008));
}

//! `/api/v1/users/{id}/data`: what is told about a user, and what is left of one who is erased.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bmt_shared::namespace::{Access, Durability, Namespace};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::forms::{BOUNDARY, UPLOAD, form, on_disk, part};
use crate::members::person;
use crate::server::{LoggedIn, TestServer, refused};

/// Each request has an id of its own, whoever sends it.
static SAID: AtomicU64 = AtomicU64::new(0);

/// Sends requests over a connection of the user, waits for each answer and tells them.
async fn say(server: &TestServer, token: &str, requests: &[(&str, Value)]) -> Vec<Value> {
    let mut answers = Vec::new();
    let url = format!("ws://{}/api/v1/ws?token={token}", server.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    for (kind, data) in requests {
        let id = format!("m{}", SAID.fetch_add(1, Ordering::Relaxed));
        let request = json!({"type": kind, "messageId": id, "data": data});
        socket.send(Message::text(request.to_string())).await.unwrap();
        let answered = async {
            loop {
                let Message::Text(text) = socket.next().await.unwrap().unwrap() else {
                    continue;
                };
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["messageId"] == id.as_str() {
                    assert_eq!(frame["type"], "ack", "{frame}");
                    return frame["data"].clone();
                }
            }
        };
        let answer = timeout(Duration::from_secs(20), answered).await;
        answers.push(answer.expect("an answer"));
    }
    answers
}

async fn ask(server: &TestServer, who: &str, method: Method, path: &str) -> Response {
    let role = if who == "operator" { "admin" } else { "user" };
    let request = server.request(method, &format!("/api/v1{path}"));
    let request = request.bearer_auth(person(who, &json!({"role": role})));
    request.send().await.unwrap()
}

/// Alice with a bit of everything; her id.
async fn busy_alice(server: &TestServer) -> (LoggedIn, String) {
    let alice = server.login("alice").await;
    let id = alice.user["userId"].as_str().unwrap().to_owned();
    let token = alice.access_token.clone();
    let made = server.post("/api/v1/channels").bearer_auth(&token);
    let made = made.json(&json!({"topic": "private:team"})).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    say(
        server,
        &token,
        &[
            ("subscribe", json!({"topic": "public:general"})),
            (
                "publish",
                json!({"topic": "public:general", "payload": {"text": "a secret of alice"}}),
            ),
            (
                "publish",
                json!({"topic": "private:team", "payload": {"text": "another secret"}}),
            ),
            (
                "publish",
                json!({"topic": "document:notes:changes", "payload": "typed"}),
            ),
            ("read", json!({"topic": "public:general", "seq": 1})),
        ],
    )
    .await;
    say(
        server,
        &person("bob", &json!({})),
        &[("publish", json!({"topic": "public:general", "payload": "of bob"}))],
    )
    .await;
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = server
        .post(UPLOAD)
        .bearer_auth(&token)
        .header("content-type", kind);
    let sent = request.body(form(&[part("file", b"diary.txt", "text/plain", b"dear diary")]));
    assert_eq!(sent.send().await.unwrap().status(), StatusCode::CREATED);
    (alice, id)
}

async fn start() -> TestServer {
    TestServer::start_with(|config| config.files.free_bytes = 0).await
}

async fn exported(server: &TestServer, id: &str) -> Vec<Value> {
    let answer = ask(server, "operator", Method::GET, &format!("/users/{id}/data")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What was done of late, as the audit log names it.
async fn acts(server: &TestServer) -> Vec<Value> {
    let audit = ask(server, "operator", Method::GET, "/audit?limit=50").await;
    let audit: Value = audit.json().await.unwrap();
    let rows = audit["entries"].as_array().unwrap();
    rows.iter().map(|row| row["act"].clone()).collect()
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

#[tokio::test]
async fn an_export_tells_everything_that_is_kept_about_a_user_and_nothing_of_others() {
    let server = start().await;
    let (_, id) = busy_alice(&server).await;
    let lines = exported(&server, &id).await;
    assert_eq!(lines[0]["userId"], id.as_str());
    assert_eq!(lines.last().unwrap()["type"], "end", "it is whole");
    assert_eq!(of_type(&lines, "account")[0]["username"], "alice");
    assert_eq!(of_type(&lines, "membership")[0]["topic"], "private:team");
    assert_eq!(of_type(&lines, "file")[0]["file"]["name"], "diary.txt");
    let read = of_type(&lines, "readPosition");
    assert_eq!(
        (&read[0]["topic"], &read[0]["seq"]),
        (&json!("public:general"), &json!(1))
    );
    let messages = of_type(&lines, "message");
    let topics: Vec<_> = messages
        .iter()
        .map(|line| line["topic"].as_str().unwrap())
        .collect();
    assert_eq!(topics.len(), 3, "{messages:?}");
    let general = messages
        .iter()
        .find(|line| line["topic"] == "public:general")
        .unwrap();
    assert_eq!(general["payload"], json!({"text": "a secret of alice"}));
    assert!(!lines.iter().any(|line| line.to_string().contains("of bob")));
    let mut nobody = exported(&server, "nobody").await;
    // That it was asked for is told.
    nobody.retain(|line| line["type"] != "auditEntry");
    assert_eq!(nobody.len(), 2, "{nobody:?}");
    let path = format!("/users/{id}/data");
    refused(
        ask(&server, "bob", Method::GET, &path).await,
        403,
        "permission_denied",
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn of_an_erased_user_nothing_is_left_but_empty_messages() {
    let server = start().await;
    let (alice, id) = busy_alice(&server).await;
    let path = format!("/users/{id}/data");
    refused(
        ask(&server, "bob", Method::DELETE, &path).await,
        403,
        "permission_denied",
    )
    .await;
    refused(
        ask(&server, "operator", Method::DELETE, "/users/operator/data").await,
        409,
        "invalid_operation",
    )
    .await;

    let erased = ask(&server, "operator", Method::DELETE, &path).await;
    assert_eq!(erased.status(), StatusCode::OK);
    let erased: Value = erased.json().await.unwrap();
    assert_eq!(
        erased,
        json!({
            "done": true, "files": 1, "messages": 2, "reactions": 0, "crashReports": 0, "keptMessages": 1
        }),
        "what is typed into a document is the document's"
    );
    assert_eq!(
        server.me(&alice.access_token).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        server.refresh(&alice.cookie).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert!(on_disk(&server).is_empty());

    let history = ask(
        &server,
        "operator",
        Method::GET,
        "/channels/public:general/history",
    )
    .await;
    let history: Value = history.json().await.unwrap();
    let messages = history["messages"].as_array().unwrap();
    assert!(!history.to_string().contains("a secret of alice"), "{history}");
    assert_eq!(
        (&messages[0]["seq"], &messages[1]["payload"]),
        (&json!(1), &json!("of bob"))
    );
    let lines = exported(&server, &id).await;
    for kind in ["account", "membership", "file", "readPosition"] {
        let left = of_type(&lines, kind);
        let is_bare = |line: &&Value| line["username"].is_null() && line["name"] == "";
        assert!(left.iter().all(is_bare), "{left:?}");
    }
    assert!(
        of_type(&lines, "message")
            .iter()
            .all(|line| line["deleted"] == json!(line["topic"] != "document:notes:changes"))
    );
    let again = ask(&server, "operator", Method::DELETE, &path).await;
    let again: Value = again.json().await.unwrap();
    assert_eq!((&again["done"], &again["messages"]), (&json!(true), &json!(0)));

    let acts = acts(&server).await;
    assert!(
        acts.contains(&json!("user.erase")) && acts.contains(&json!("user.export")),
        "{acts:?}"
    );
    server.stop().await;
}

/// What the erased user of the test below has left, in one word.
const SECRET: &str = "secret";
/// A reaction that nobody else has given.
const REACTION: &str = "🤫";

/// A server with a namespace whose messages cannot be deleted, and one that is kept in memory.
async fn start_with_namespaces() -> TestServer {
    TestServer::start_with(|config| {
        config.files.free_bytes = 0;
        let orders = Namespace::stored(Access::Users, Access::Users);
        let brief = Namespace {
            durability: Durability::Memory,
            ..orders.clone()
        };
        config.namespaces.insert("orders", orders);
        config.namespaces.insert("brief", brief);
    })
    .await
}

async fn history(server: &TestServer, topic: &str) -> Vec<Value> {
    let path = format!("/channels/{topic}/history");
    let page = ask(server, "operator", Method::GET, &path).await;
    let page: Value = page.json().await.unwrap();
    page["messages"].as_array().unwrap().clone()
}

fn publish(topic: &str, payload: &Value) -> (&'static str, Value) {
    ("publish", json!({"topic": topic, "payload": payload}))
}

/// Alice with edits, reactions and messages of every kind of namespace, and something that was sent to her; the
/// channels it all is in.
async fn talkative_alice(server: &TestServer) -> (String, Vec<String>) {
    let alice = server.login("alice").await;
    let id = alice.user["userId"].as_str().unwrap().to_owned();
    let general = "public:general";
    say(
        server,
        &person("bob", &json!({})),
        &[publish(general, &json!({"text": "of bob"}))],
    )
    .await;
    let text = publish(general, &json!({"text": format!("first {SECRET}")}));
    say(server, &alice.access_token, &[text]).await;
    let [bobs, own] = &history(server, general).await[..] else {
        panic!("two messages");
    };
    let edit = json!({"type": "edit", "target": own["id"], "text": format!("second {SECRET}")});
    let reaction = json!({"type": "reaction", "target": bobs["id"], "emoji": REACTION});
    let said = [
        publish(general, &edit),
        publish(general, &reaction),
        publish(
            "orders:1",
            &json!({"type": "delete", "target": "x", "street": SECRET}),
        ),
        publish("brief:1", &json!(SECRET)),
    ];
    say(server, &alice.access_token, &said).await;
    let inbox = format!("user:{id}");
    let admin = person("operator", &json!({"role": "admin"}));
    say(server, &admin, &[publish(&inbox, &json!({"invoice": SECRET}))]).await;
    let crash = json!({"error": "boom", "timestamp": 1});
    let reported = server.post("/api/v1/errors").bearer_auth(&alice.access_token);
    assert!(reported.json(&crash).send().await.unwrap().status().is_success());
    let topics = [general, "orders:1", "brief:1", &inbox];
    (id, topics.map(str::to_owned).to_vec())
}

#[tokio::test]
async fn an_erasure_reaches_edits_reactions_memory_and_what_was_sent_to_the_user_and_leaves_no_hole() {
    let server = start_with_namespaces().await;
    let (id, topics) = talkative_alice(&server).await;
    let before = exported(&server, &id).await;
    assert_eq!(of_type(&before, "message").len(), 6, "{before:?}");
    assert_eq!(of_type(&before, "crashReport")[0]["report"]["error"], "boom");
    let logins = of_type(&before, "auditEntry");
    assert!(
        logins.iter().any(|line| line["entry"]["act"] == "auth.login"),
        "{logins:?}"
    );

    let path = format!("/users/{id}/data");
    let erased = ask(&server, "operator", Method::DELETE, &path).await;
    let erased: Value = erased.json().await.unwrap();
    assert_eq!(
        erased,
        json!({
            "done": true, "files": 0, "messages": 5, "reactions": 1, "crashReports": 1, "keptMessages": 0
        })
    );
    let admin = person("operator", &json!({"role": "admin"}));
    for topic in &topics {
        let now = say(&server, &admin, &[("history", json!({"topic": topic}))]).await;
        let since = json!({"seq": 0, "epoch": now[0]["epoch"]});
        let subscribe = ("subscribe", json!({"topic": topic, "since": since}));
        let recovered = say(&server, &admin, &[subscribe]).await;
        assert_eq!(recovered[0]["recovered"], true, "{recovered:?}");
        let recovered = recovered[0]["messages"].as_array().unwrap().clone();
        for messages in [history(&server, topic).await, recovered] {
            let text = Value::from(messages.clone()).to_string();
            assert!(!text.contains(SECRET) && !text.contains(REACTION), "{text}");
            let seqs: Vec<_> = messages.iter().map(|one| one["seq"].as_u64().unwrap()).collect();
            let all: Vec<u64> = (1..=messages.len() as u64).collect();
            assert_eq!(seqs, all, "{topic}");
        }
    }
    let general = history(&server, "public:general").await;
    assert_eq!(
        general[0]["payload"],
        json!({"text": "of bob"}),
        "others keep what is theirs"
    );
    assert_eq!(general[0].get("edited"), None);

    let after = exported(&server, &id).await;
    assert!(
        !after.iter().any(|line| line.to_string().contains(SECRET)),
        "{after:?}"
    );
    assert_eq!(of_type(&after, "crashReport").len(), 0);
    let acts = of_type(&after, "auditEntry");
    assert!(
        acts.iter().any(|line| line["entry"]["act"] == "user.erase"),
        "the audit log stays: {acts:?}"
    );
    let again = ask(&server, "operator", Method::DELETE, &path).await;
    let again: Value = again.json().await.unwrap();
    assert_eq!(
        (&again["messages"], &again["reactions"]),
        (&json!(0), &json!(0)),
        "doing it again finds nothing"
    );
    server.stop().await;
}

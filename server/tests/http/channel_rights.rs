//! The table "Over HTTP" of `docs/PERMISSIONS.md` for everybody on every channel (FAULTS 43), and what a refusal tells
//! (FAULTS 45).

use std::time::{Duration, Instant};

use bmt_server::members::{Actor, MemberRole};
use bmt_shared::id::UserId;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::members::person;
use crate::server::TestServer;
use crate::tables::{Cell, table};

/// What reads and what writes a channel over HTTP.
const READS: [&str; 2] = ["history", "presence"];
const WRITES: [&str; 3] = ["publish", "broadcast", "notify"];

/// A server with the lists that the page speaks of; `1` stands in some of them as `role`.
async fn server(role: Option<MemberRole>) -> TestServer {
    let server = TestServer::start_with(|config| config.limits.http_per_second = 0).await;
    let other = Actor {
        user_id: UserId::new("2"),
        is_admin: false,
    };
    for key in [
        "private:of-others",
        "document:of-others",
        "private:listed",
        "document:listed",
    ] {
        let me = role.filter(|_| key.ends_with(":listed"));
        let members = me.map(|role| (UserId::new("1"), role)).into_iter().collect();
        let store = &server.node().members;
        store.create(key, None, members, &other, 1).await.unwrap();
    }
    server
}

/// The header by which somebody is known.
async fn credential(server: &TestServer, who: &str) -> (&'static str, String) {
    if let Some(scope) = who.strip_prefix("key ") {
        let admin = server.login("admin").await.access_token;
        let body = json!({"name": "x", "scopes": [scope]});
        let made = server.post("/api/v1/keys").bearer_auth(admin).json(&body);
        let made: Value = made.send().await.unwrap().json().await.unwrap();
        return ("x-api-key", made["key"].as_str().unwrap().to_owned());
    }
    let more = match who {
        "user with private_channel_access" => json!({"permissions": ["private_channel_access"]}),
        role => json!({"role": role}),
    };
    ("authorization", format!("Bearer {}", person("1", &more)))
}

fn request(server: &TestServer, verb: &str, topic: &str) -> RequestBuilder {
    let body = match verb {
        "publish" => json!({"topic": topic, "payload": 1}),
        "broadcast" => json!({"topics": [topic], "payload": 1}),
        "notify" => json!({"topic": topic, "level": "info", "message": "x"}),
        _ => return server.get(&format!("/api/v1/channels/{topic}/{verb}")),
    };
    server.post(&format!("/api/v1/{verb}")).json(&body)
}

/// The code with which a request is refused, and the text; `ok` where it is not.
async fn answer(request: RequestBuilder) -> (String, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    // Of many channels each is answered for itself.
    let body = body["results"].get(0).unwrap_or(&body);
    match body["code"].as_str() {
        None => ("ok".to_owned(), String::new()),
        Some(code) => {
            assert_eq!(status == 403, code == "permission_denied", "{body}");
            (code.to_owned(), body["message"].as_str().unwrap().to_owned())
        }
    }
}

/// What somebody may do on a channel, by trying all of it.
async fn tried(server: &TestServer, by: &(&'static str, String), topic: &str) -> Result<Cell, String> {
    let mut allowed = Vec::new();
    for verb in READS.iter().chain(&WRITES) {
        let request = request(server, verb, topic).header(by.0, &by.1);
        allowed.push(match answer(request).await.0.as_str() {
            "ok" => true,
            "permission_denied" => false,
            other => return Err(format!("{verb}: {other}")),
        });
    }
    let (reads, writes) = allowed.split_at(READS.len());
    if reads.iter().any(|one| *one != reads[0]) || writes.iter().any(|one| *one != writes[0]) {
        return Err(format!("{READS:?} {reads:?}, {WRITES:?} {writes:?}"));
    }
    Ok(Cell {
        reads: reads[0],
        writes: writes[0],
    })
}

fn channels(heading: &str) -> Vec<String> {
    let mut channels: Vec<_> = table(heading).into_iter().map(|cell| cell.channel).collect();
    channels.dedup();
    channels
}

#[tokio::test]
async fn the_page_of_permissions_holds_over_http_for_everybody_on_every_channel() {
    let server = server(None).await;
    let mut wrong = Vec::new();
    let everybody = table("Over HTTP");
    assert_eq!(everybody.len(), 7, "each role and each kind of key");
    for expected in everybody {
        let by = credential(&server, &expected.who).await;
        for channel in channels("By role") {
            let found = tried(&server, &by, &channel).await;
            if found != Ok(expected.may) {
                wrong.push(format!("{} on {channel}: {found:?}", expected.who));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not as docs/PERMISSIONS.md says:\n{}",
        wrong.join("\n")
    );
    let admin = credential(&server, "admin").await;
    for verb in READS.iter().chain(&WRITES) {
        let request = request(&server, verb, "nowhere:x").header(admin.0, &admin.1);
        assert_eq!(answer(request).await.0, "channel_not_found", "{verb}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_member_list_opens_nothing_over_http() {
    for role in [MemberRole::Owner, MemberRole::Writer, MemberRole::Reader] {
        let server = server(Some(role)).await;
        let by = credential(&server, "user").await;
        for channel in channels("By member list") {
            let nothing = Cell {
                reads: false,
                writes: false,
            };
            assert_eq!(
                tried(&server, &by, &channel).await,
                Ok(nothing),
                "{role:?} {channel}"
            );
        }
        server.stop().await;
    }
}

/// How far medians may lie apart (FAULTS 45).
const SPREAD: Duration = Duration::from_millis(5);

/// Holds the answers to be alike; answers how far the medians of their times lie apart.
async fn measured(
    what: &str,
    topics: &[&str; 3],
    ask: &impl Fn(&str) -> RequestBuilder,
    credential: &str,
) -> Duration {
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut answers: [Option<(String, String)>; 3] = Default::default();
    for round in 0..ROUNDS {
        for place in 0..topics.len() {
            // Each is first, second and third equally often.
            let at = (round + place) % topics.len();
            let request = ask(topics[at]).header("authorization", credential);
            let asked = Instant::now();
            let (code, message) = answer(request).await;
            times[at].push(asked.elapsed());
            assert_eq!(code, "permission_denied", "{what}");
            answers[at] = Some((code, message.replace(topics[at], "it")));
        }
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{what}: {answers:?}"
    );
    let medians = times.map(|mut times| {
        times.sort();
        times[ROUNDS / 2]
    });
    *medians.iter().max().unwrap() - *medians.iter().min().unwrap()
}

/// Rounds of asking; the medians of so many answers differ by far less than the 5 ms that are allowed.
const ROUNDS: usize = 60;

/// FAULTS 45. The names are equally long, so that what differs is not the name.
#[tokio::test]
async fn a_private_channel_that_is_closed_and_one_that_is_absent_answer_alike_over_http() {
    let server = server(None).await;
    let other = Actor {
        user_id: UserId::new("2"),
        is_admin: false,
    };
    let topics = ["private:listed-1", "private:in-use-1", "private:absent-1"];
    let store = &server.node().members;
    store
        .create(topics[0], None, Vec::new(), &other, 1)
        .await
        .unwrap();
    let admin = credential(&server, "admin").await;
    for topic in &topics[..2] {
        let published = request(&server, "publish", topic).header(admin.0, &admin.1);
        assert_eq!(answer(published).await.0, "ok");
    }
    let eve = format!("Bearer {}", person("eve", &json!({})));
    let asks = [
        (Method::GET, "/channels/{topic}/history"),
        (Method::GET, "/channels/{topic}/presence"),
        (Method::GET, "/channels/{topic}/members"),
        (Method::GET, "/channels/{topic}/members/eve"),
        (Method::PUT, "/channels/{topic}/members/eve"),
        (Method::DELETE, "/channels/{topic}/members/bob"),
        (Method::DELETE, "/channels/{topic}"),
        (Method::POST, "/publish"),
        (Method::POST, "/broadcast"),
        (Method::POST, "/notify"),
    ];
    for (method, path) in asks {
        let ask = |topic: &str| match path {
            "/publish" | "/broadcast" | "/notify" => request(&server, &path[1..], topic),
            _ => {
                let path = format!("/api/v1{}", path.replace("{topic}", topic));
                let request = server.request(method.clone(), &path);
                match method {
                    Method::PUT => request.json(&json!({"role": "writer"})),
                    _ => request,
                }
            }
        };
        let what = format!("{method} {path}");
        // What differs by itself differs each time; what a busy machine does, does not.
        let mut spreads = Vec::new();
        while spreads.last().is_none_or(|spread| *spread >= SPREAD) {
            assert!(spreads.len() < 3, "{what}: {spreads:?}");
            spreads.push(measured(&what, &topics, &ask, &eve).await);
        }
    }
    server.stop().await;
}

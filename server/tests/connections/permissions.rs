//! Everybody, everything, everywhere: the tables of `docs/PERMISSIONS.md` (FAULTS 43), and what a refusal tells
//! (FAULTS 45).

use std::time::{Duration, Instant};

use bmt_server::members::{Actor, MemberRole};
use bmt_shared::id::UserId;
use serde_json::{Value, json};

use crate::support::{Client, TestServer, token, token_with, unix_ms};
use crate::tables::{Cell, table};
use crate::talker::{Answer, Talker, Transport};

const READS: [&str; 4] = ["subscribe", "history", "presence", "read"];

/// A server without rates, with the lists that the page speaks of.
async fn server() -> TestServer {
    let server = TestServer::with(|config| {
        config.limits.read_per_second = 0;
        config.limits.publish_per_second = 0;
        config.limits.signal_per_second = 0;
        config.limits.subscribe_per_second = 0;
    })
    .await;
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
        let members = &server.node().members;
        members
            .create(key, None, Vec::new(), &other, unix_ms())
            .await
            .unwrap();
    }
    server
}

fn claims(who: &str) -> Value {
    match who {
        "user with private_channel_access" => json!({"permissions": ["private_channel_access"]}),
        role => json!({"role": role}),
    }
}

/// Whoever listens on a channel and sends a signal of its own behind another's.
struct Listener {
    hears: Client,
    speaks: Client,
}

impl Listener {
    async fn start(server: &TestServer) -> Self {
        let admin = token_with("listener", &json!({"role": "admin"}));
        Self {
            hears: Client::connect_with(server, &admin).await,
            speaks: Client::connect_with(server, &admin).await,
        }
    }

    /// Whether a signal of `talker` arrives. Signals have no answer, so this looks at what they do.
    async fn hears(&mut self, talker: &mut Talker, topic: &str) -> bool {
        let subscribed = self.hears.request("subscribe", &json!({"topic": topic})).await;
        assert_eq!(subscribed["status"], "success", "{subscribed}");
        let signal = json!({"topic": topic, "payload": 1});
        talker.send("signal", &signal).await;
        // Answered by the same channel, behind the signal.
        assert_eq!(talker.code("unsubscribe", topic).await, "ok");
        let sent = self.speaks.request("signal", &signal).await;
        assert_eq!(sent["status"], "success", "{sent}");
        let arrived = self.hears.event("signal").await["from"] != "listener";
        if arrived {
            assert_eq!(self.hears.event("signal").await["from"], "listener");
        }
        arrived
    }
}

/// What the server lets `talker` do, by trying all of it.
async fn tried(talker: &mut Talker, listener: &mut Listener, topic: &str) -> Result<Cell, String> {
    let mut reads = Vec::new();
    for verb in READS {
        reads.push(allowed(talker, verb, topic).await);
    }
    let writes = [
        allowed(talker, "publish", topic).await,
        listener.hears(talker, topic).await,
    ];
    if reads.iter().any(|one| *one != reads[0]) || writes[0] != writes[1] {
        return Err(format!("{READS:?}: {reads:?}, publish and signal: {writes:?}"));
    }
    Ok(Cell {
        reads: reads[0],
        writes: writes[0],
    })
}

async fn allowed(talker: &mut Talker, verb: &str, topic: &str) -> bool {
    match talker.code(verb, topic).await.as_str() {
        "permission_denied" => false,
        // A read position above the newest message is a matter of the channel, not of rights.
        "ok" | "invalid_operation" => true,
        other => panic!("{verb} on {topic}: {other}"),
    }
}

#[tokio::test]
async fn the_page_of_permissions_holds_for_every_role_on_every_channel() {
    let server = server().await;
    let mut listener = Listener::start(&server).await;
    let mut wrong = Vec::new();
    for transport in Transport::ALL {
        for expected in table("By role") {
            let token = token_with("1", &claims(&expected.who));
            let mut talker = Talker::connect(&server, transport, &token).await;
            let found = tried(&mut talker, &mut listener, &expected.channel).await;
            if found != Ok(expected.may) {
                wrong.push(format!("{transport:?} {expected:?}: {found:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not as docs/PERMISSIONS.md says:\n{}",
        wrong.join("\n")
    );
}

#[tokio::test]
async fn the_page_of_permissions_holds_for_every_role_in_a_list() {
    let server = server().await;
    let mut listener = Listener::start(&server).await;
    let admin = Actor {
        user_id: UserId::new("root"),
        is_admin: true,
    };
    for expected in table("By member list") {
        let role: MemberRole = serde_json::from_value(json!(expected.who)).unwrap();
        for key in ["private:listed", "document:listed"] {
            let (members, user) = (&server.node().members, UserId::new("1"));
            members.put(key, &user, role, &admin, unix_ms()).await.unwrap();
        }
        for transport in Transport::ALL {
            let mut talker = Talker::connect(&server, transport, &token("1")).await;
            let found = tried(&mut talker, &mut listener, &expected.channel).await;
            assert_eq!(found, Ok(expected.may), "{transport:?} {expected:?}");
        }
    }
}

/// Rounds of asking; the medians of so many answers differ by far less than the 5 ms that are allowed.
const ROUNDS: usize = 60;

/// FAULTS 45. The names are equally long, so that what differs is not the name.
#[tokio::test]
async fn a_private_channel_that_is_closed_and_one_that_is_absent_answer_alike() {
    let server = server().await;
    let other = Actor {
        user_id: UserId::new("2"),
        is_admin: false,
    };
    let (listed, used, absent) = ("private:listed-1", "private:in-use-1", "private:absent-1");
    server
        .node()
        .members
        .create(listed, None, Vec::new(), &other, unix_ms())
        .await
        .unwrap();
    let mut admin = Client::connect_with(&server, &token_with("root", &json!({"role": "admin"}))).await;
    for topic in [listed, used] {
        let published = admin
            .request("publish", &json!({"topic": topic, "payload": 1}))
            .await;
        assert_eq!(published["status"], "success");
        admin.request("subscribe", &json!({"topic": topic})).await;
    }
    for transport in Transport::ALL {
        let mut eve = Talker::connect(&server, transport, &token("eve")).await;
        for verb in ["subscribe", "publish", "history", "presence", "read", "signal"] {
            if (transport, verb) == (Transport::Raw, "signal") {
                continue; // It has no answer at all.
            }
            let mut times: [Vec<Duration>; 3] = Default::default();
            let mut answers: [Option<(String, String)>; 3] = Default::default();
            for _ in 0..ROUNDS {
                for (at, topic) in [listed, used, absent].into_iter().enumerate() {
                    let body = json!({"topic": topic, "payload": 1, "seq": 1});
                    let asked = Instant::now();
                    let answer = eve.ask(verb, &body).await;
                    times[at].push(asked.elapsed());
                    let Answer::Failure(code, message) = answer else {
                        panic!("{verb} on {topic}: {answer:?}");
                    };
                    answers[at] = Some((code, message.replace(topic, "it")));
                }
            }
            assert!(
                answers.iter().all(|answer| *answer == answers[0]),
                "{verb}: {answers:?}"
            );
            let medians = times.map(|mut times| {
                times.sort();
                times[ROUNDS / 2]
            });
            let spread = *medians.iter().max().unwrap() - *medians.iter().min().unwrap();
            assert!(
                spread < Duration::from_millis(5),
                "{verb} over {transport:?}: {medians:?}"
            );
        }
    }
}

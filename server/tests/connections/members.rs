//! Member lists that change under live connections (SPEC §3).

use bmt_server::members::{Actor, MemberRole, Members};
use bmt_shared::id::UserId;
use serde_json::json;

use crate::support::{TestServer, token, unix_ms};
use crate::talker::{Talker, Transport};

const TEAM: &str = "private:team";

fn ann() -> Actor {
    Actor {
        user_id: UserId::new("ann"),
        is_admin: false,
    }
}

async fn create(members: &Members, key: &str) {
    members
        .create(key, None, Vec::new(), &ann(), unix_ms())
        .await
        .unwrap();
}

async fn put(members: &Members, key: &str, user: &str, role: MemberRole) {
    let user = UserId::new(user);
    members.put(key, &user, role, &ann(), unix_ms()).await.unwrap();
}

#[tokio::test]
async fn a_member_enters_and_leaves_with_the_list() {
    let server = TestServer::start().await;
    let members = server.node().members.clone();
    create(&members, TEAM).await;
    for transport in Transport::ALL {
        let mut ann = Talker::connect(&server, transport, &token("ann")).await;
        let mut bob = Talker::connect(&server, transport, &token("bob")).await;
        assert_eq!(ann.code("subscribe", TEAM).await, "ok");
        assert_eq!(bob.code("subscribe", TEAM).await, "permission_denied");
        put(&members, TEAM, "bob", MemberRole::Reader).await;
        assert_eq!(bob.code("subscribe", TEAM).await, "ok");
        assert_eq!(bob.code("publish", TEAM).await, "permission_denied");
        put(&members, TEAM, "bob", MemberRole::Writer).await;
        assert_eq!(bob.code("publish", TEAM).await, "ok");

        members
            .remove(TEAM, &UserId::new("bob"), &self::ann())
            .await
            .unwrap();
        let told = bob.event("unsubscribed").await;
        assert_eq!(
            (&told["topic"], &told["code"]),
            (&json!(TEAM), &json!("permission_denied"))
        );
        assert!(told["message"].as_str().unwrap().contains(TEAM), "{told}");
        for verb in ["subscribe", "publish", "history", "presence", "read"] {
            assert_eq!(bob.code(verb, TEAM).await, "permission_denied", "{verb}");
        }
        // Only the owner gets it: the one who left is out of the channel, not just told so.
        let body = json!({"topic": TEAM, "payload": 1});
        assert_eq!(ann.ask("publish", &body).await.body()["deliveredTo"], 1);
        assert_eq!(ann.code("unsubscribe", TEAM).await, "ok");
    }
}

#[tokio::test]
async fn a_document_closes_for_all_others_when_it_gets_a_list_and_stays_closed_when_that_goes() {
    let server = TestServer::start().await;
    let members = server.node().members.clone();
    let (changes, comments) = ("document:d:changes", "document:d:comments");
    let mut bob = Talker::connect(&server, Transport::SocketIo, &token("bob")).await;
    for topic in [changes, comments, "document:other:changes"] {
        assert_eq!(bob.code("subscribe", topic).await, "ok");
    }
    create(&members, "document:d").await;
    let mut lost = [bob.event("unsubscribed").await, bob.event("unsubscribed").await]
        .map(|told| told["topic"].as_str().unwrap().to_owned());
    lost.sort();
    assert_eq!(lost, [changes, comments]);
    assert_eq!(bob.code("subscribe", changes).await, "permission_denied");
    assert_eq!(bob.code("publish", "document:other:changes").await, "ok");
    put(&members, "document:d", "bob", MemberRole::Writer).await;
    assert_eq!(bob.code("publish", changes).await, "ok");
    assert_eq!(bob.code("subscribe", comments).await, "ok");
    members.delete("document:d", &ann()).await.unwrap();
    assert_eq!(bob.event("unsubscribed").await["topic"], comments);
    let mut ann = Talker::connect(&server, Transport::Raw, &token("ann")).await;
    for (name, talker) in [("ann", &mut ann), ("bob", &mut bob)] {
        assert_eq!(
            talker.code("subscribe", changes).await,
            "permission_denied",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_list_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || TestServer::with(|config| config.store.data_dir = folder.path().to_owned());
    let mut server = start().await;
    create(&server.node().members, TEAM).await;
    put(&server.node().members, TEAM, "bob", MemberRole::Reader).await;
    server.stop().await;
    let server = start().await;
    let mut bob = Talker::connect(&server, Transport::Raw, &token("bob")).await;
    assert_eq!(bob.code("subscribe", TEAM).await, "ok");
    assert_eq!(bob.code("publish", TEAM).await, "permission_denied");
}

#[tokio::test]
async fn what_is_changed_over_http_reaches_live_connections() {
    let server = TestServer::start().await;
    let http = reqwest::Client::new();
    let path = |rest: &str| server.url(&format!("/api/v1/channels{rest}"));
    let ann = token("ann");
    let new = json!({"topic": TEAM, "members": [{"userId": "bob", "role": "reader"}]});
    let made = http
        .post(path(""))
        .bearer_auth(&ann)
        .json(&new)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    let mut bob = Talker::connect(&server, Transport::SocketIo, &token("bob")).await;
    assert_eq!(bob.code("subscribe", TEAM).await, "ok");
    let gone = http
        .delete(path("/private:team/members/bob"))
        .bearer_auth(&ann)
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 204);
    // The very next act is refused already; the subscription follows.
    assert_eq!(bob.code("history", TEAM).await, "permission_denied");
    let mut again = Talker::connect(&server, Transport::Raw, &token("bob")).await;
    assert_eq!(again.code("subscribe", TEAM).await, "permission_denied");
}

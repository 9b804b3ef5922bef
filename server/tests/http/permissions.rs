//! `GET /api/v1/permissions/explain`: why somebody may, or may not (SPEC §3).

use bmt_server::members::{Actor, MemberRole};
use bmt_shared::id::UserId;
use serde_json::{Value, json};

use crate::members::person;
use crate::server::{TestServer, refused};

async fn explain(server: &TestServer, query: &str) -> Value {
    let root = person("root", &json!({"role": "admin"}));
    let request = server
        .get(&format!("/api/v1/permissions/explain?{query}"))
        .bearer_auth(root);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{query}");
    response.json().await.unwrap()
}

/// Query, whether allowed, rule, membership.
const QUESTIONS: [(&str, bool, &str, &str); 8] = [
    (
        "user=bob&channel=private:team&action=history",
        true,
        "member",
        "reader",
    ),
    (
        "user=bob&channel=private:team&action=signal",
        false,
        "readers_only_read",
        "reader",
    ),
    (
        "user=eve&channel=private:team&action=subscribe",
        false,
        "not_a_member",
        "outside",
    ),
    (
        "user=eve&channel=private:none&action=subscribe",
        false,
        "no_member_list",
        "unlisted",
    ),
    (
        "user=eve&channel=user:eve&action=publish",
        true,
        "own_channel",
        "unlisted",
    ),
    (
        "user=eve&channel=nowhere:x&action=publish",
        false,
        "unknown_namespace",
        "unlisted",
    ),
    (
        "user=eve&channel=private:team&action=publish&role=admin",
        true,
        "administrator",
        "outside",
    ),
    (
        "user=eve&channel=private:team&action=publish&permissions=x,%20publish:private:team",
        true,
        "capability",
        "outside",
    ),
];

#[tokio::test]
async fn an_administrator_learns_which_rule_decides() {
    let server = TestServer::start().await;
    let ann = Actor {
        user_id: UserId::new("ann"),
        is_admin: false,
    };
    let members = &server.node().members;
    let bob = vec![(UserId::new("bob"), MemberRole::Reader)];
    members.create("private:team", None, bob, &ann, 1).await.unwrap();
    for (query, allowed, rule, membership) in QUESTIONS {
        let told = explain(&server, query).await;
        let found = (&told["allowed"], &told["rule"]["code"], &told["membership"]);
        assert_eq!(
            found,
            (&json!(allowed), &json!(rule), &json!(membership)),
            "{query}: {told}"
        );
        assert_eq!(told.get("code").is_none(), allowed, "{told}");
        assert!(
            told["rule"]["text"].as_str().is_some_and(|text| text.len() > 10),
            "{told}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn an_account_is_judged_by_what_the_store_says_of_it() {
    let server = TestServer::start().await;
    let alice = server.login("alice").await.user["userId"]
        .as_str()
        .unwrap()
        .to_owned();
    let query = format!("user={alice}&channel=public:chat&action=publish");
    let told = explain(&server, &query).await;
    assert_eq!(
        (&told["allowed"], &told["user"]["source"]),
        (&json!(true), &json!("account"))
    );
    server.node().accounts.block(&UserId::new(&alice)).await.unwrap();
    let told = explain(&server, &query).await;
    assert_eq!(
        (&told["allowed"], &told["rule"]["code"]),
        (&json!(false), &json!("blocked"))
    );
    assert_eq!(told["code"], "authentication_failed");
    let told = explain(&server, "user=stranger&channel=public:chat&action=publish").await;
    assert_eq!(told["user"]["source"], "assumed");
    server.stop().await;
}

#[tokio::test]
async fn nobody_else_may_ask_and_a_wrong_question_is_refused() {
    let server = TestServer::start().await;
    let path = "/api/v1/permissions/explain?user=1&channel=public:chat&action=publish";
    let user = person("1", &json!({}));
    let answer = server.get(path).bearer_auth(user).send().await.unwrap();
    refused(answer, 403, "permission_denied").await;
    let root = person("root", &json!({"role": "admin"}));
    for query in [
        "user=1&channel=public:chat&action=fly",
        "user=1&channel=a%20b&action=publish",
        "user=1&channel=public:chat&action=publish&role=king",
        "user=1&channel=public:chat",
    ] {
        let path = format!("/api/v1/permissions/explain?{query}");
        let answer = server.get(&path).bearer_auth(&root).send().await.unwrap();
        refused(answer, 400, "invalid_message").await;
    }
    server.stop().await;
}

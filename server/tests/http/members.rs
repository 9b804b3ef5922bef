//! `/api/v1/channels`: who makes a channel, who enters it, and what others learn of it (SPEC §3).

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::{TestServer, refused};
use crate::tokens::token;

/// A user of an own back end.
pub(crate) fn person(id: &str, more: &Value) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({"sub": id, "exp": now_s + 600});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    token(&json!({"alg": "HS256"}), &claims)
}

/// Asks as the user of this name; `root` is an administrator.
async fn ask(server: &TestServer, who: &str, method: Method, path: &str, body: Option<Value>) -> Response {
    let role = if who == "root" { "admin" } else { "user" };
    let request = server.request(method, &format!("/api/v1{path}"));
    let request = request.bearer_auth(person(who, &json!({"role": role})));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    request.send().await.unwrap()
}

async fn create(server: &TestServer, who: &str, body: Value) -> Response {
    ask(server, who, Method::POST, "/channels", Some(body)).await
}

async fn read(response: Response, status: u16) -> Value {
    let found = response.status().as_u16();
    let body = response.text().await.unwrap();
    assert_eq!(found, status, "{body}");
    serde_json::from_str(&body).unwrap_or(Value::Null)
}

/// Publishes as an administrator.
async fn publish(server: &TestServer, topic: &str) {
    let body = json!({"topic": topic, "payload": 1});
    let published = ask(server, "root", Method::POST, "/publish", Some(body)).await;
    assert_eq!(published.status(), StatusCode::OK);
}

const BOB: &str = "/channels/private:team/members/bob";

#[tokio::test]
async fn who_makes_a_channel_owns_it_and_lets_others_in_and_out() {
    let server = TestServer::start().await;
    let new = json!({"topic": "private:team", "title": " The team ", "members": [{"userId": "bob"}]});
    let made = read(create(&server, "ann", new.clone()).await, 201).await;
    assert_eq!(
        (&made["topic"], &made["title"]),
        (&json!("private:team"), &json!("The team"))
    );
    let roles = |list: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let members = list["members"].as_array().unwrap().iter();
        members
            .map(|one| (text(&one["userId"]), text(&one["role"])))
            .collect()
    };
    let pair = |id: &str, role: &str| (id.to_owned(), role.to_owned());
    assert_eq!(roles(&made), [pair("ann", "owner"), pair("bob", "writer")]);
    assert_eq!(
        read(create(&server, "ann", new.clone()).await, 200).await,
        made,
        "again is no fault"
    );

    let mine = read(
        ask(&server, "bob", Method::GET, "/channels/mine", None).await,
        200,
    )
    .await;
    let expected = json!([{"topic": "private:team", "title": "The team", "role": "writer", "members": 2,
                           "createdAt": made["createdAt"]}]);
    assert_eq!(mine["channels"], expected);
    let reader = Some(json!({"role": "reader"}));
    let put = ask(&server, "ann", Method::PUT, BOB, reader.clone()).await;
    assert_eq!(read(put, 200).await["role"], "reader");
    let one = ask(&server, "bob", Method::GET, BOB, None).await;
    assert_eq!(read(one, 200).await["role"], "reader");
    let put = ask(&server, "bob", Method::PUT, BOB, Some(json!({"role": "owner"}))).await;
    refused(put, 403, "permission_denied").await;
    let last = ask(
        &server,
        "ann",
        Method::DELETE,
        "/channels/private:team/members/ann",
        None,
    )
    .await;
    let told = refused(last, 409, "invalid_operation").await;
    assert!(told.contains("only owner"), "{told}");
    let left = ask(&server, "bob", Method::DELETE, BOB, None).await;
    assert_eq!(left.status(), StatusCode::NO_CONTENT);
    let gone = ask(&server, "ann", Method::GET, BOB, None).await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    let ended = ask(&server, "ann", Method::DELETE, "/channels/private:team", None).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let mine = read(
        ask(&server, "ann", Method::GET, "/channels/mine", None).await,
        200,
    )
    .await;
    assert_eq!(mine["channels"], json!([]));
    refused(
        create(&server, "bob", json!({"topic": "private:team"})).await,
        403,
        "permission_denied",
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn outsiders_get_the_same_answer_whether_there_is_a_list_or_not() {
    let server = TestServer::start().await;
    read(
        create(&server, "ann", json!({"topic": "private:team"})).await,
        201,
    )
    .await;
    let role = Some(json!({"role": "reader"}));
    for (method, path, body) in [
        (Method::GET, "/channels/TOPIC/members", None),
        (Method::GET, "/channels/TOPIC/members/ann", None),
        (Method::PUT, "/channels/TOPIC/members/eve", role),
        (Method::DELETE, "/channels/TOPIC/members/ann", None),
        (Method::DELETE, "/channels/TOPIC", None),
    ] {
        let mut told = Vec::new();
        for topic in ["private:team", "private:none"] {
            let path = path.replace("TOPIC", topic);
            let answer = ask(&server, "eve", method.clone(), &path, body.clone()).await;
            told.push(refused(answer, 403, "permission_denied").await);
        }
        assert_eq!(told[0], told[1], "{method} {path}");
    }
    let absent = ask(
        &server,
        "root",
        Method::GET,
        "/channels/private:none/members",
        None,
    )
    .await;
    refused(absent, 404, "channel_not_found").await;
    let listed = ask(
        &server,
        "root",
        Method::GET,
        "/channels/private:team/members",
        None,
    )
    .await;
    assert_eq!(read(listed, 200).await["members"][0]["userId"], "ann");
    server.stop().await;
}

#[tokio::test]
async fn nobody_takes_over_a_channel_or_a_document_that_was_used() {
    let server = TestServer::start().await;
    for topic in ["private:used", "document:used:changes", "document:used-2"] {
        publish(&server, topic).await;
    }
    let mut told = Vec::new();
    for topic in [
        "private:used",
        "document:used",
        "document:used:changes",
        "document:used-2",
        "private:taken",
    ] {
        if topic == "private:taken" {
            read(create(&server, "ann", json!({"topic": topic})).await, 201).await;
        }
        told.push(
            refused(
                create(&server, "eve", json!({"topic": topic})).await,
                403,
                "permission_denied",
            )
            .await,
        );
    }
    told.dedup();
    assert_eq!(
        told.len(),
        1,
        "a name in use and one that is taken are told alike: {told:?}"
    );
    let made = create(&server, "eve", json!({"topic": "document:new:changes"})).await;
    assert_eq!(read(made, 201).await["topic"], "document:new");
    read(
        create(&server, "root", json!({"topic": "private:used"})).await,
        201,
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_direct_conversation_is_made_by_either_and_for_nobody_else() {
    let server = TestServer::start().await;
    let made = read(
        create(&server, "ann", json!({"topic": "private:dm_ann_bob"})).await,
        201,
    )
    .await;
    assert_eq!(made["members"].as_array().unwrap().len(), 2);
    read(
        create(&server, "bob", json!({"topic": "private:dm_ann_bob"})).await,
        200,
    )
    .await;
    let others = create(&server, "eve", json!({"topic": "private:dm_ann_cat"})).await;
    refused(others, 403, "permission_denied").await;
    let put = Some(json!({"role": "reader"}));
    let third = ask(
        &server,
        "ann",
        Method::PUT,
        "/channels/private:dm_ann_bob/members/eve",
        put,
    )
    .await;
    refused(third, 409, "invalid_operation").await;

    // `x`, `y_x` or `x_y`, `x`: whom `x` means has to be said.
    let topic = json!({"topic": "private:dm_x_y_x"});
    refused(create(&server, "x", topic.clone()).await, 400, "invalid_message").await;
    let named = json!({"topic": "private:dm_x_y_x", "members": [{"userId": "y_x"}]});
    read(create(&server, "x", named).await, 201).await;
    read(create(&server, "y_x", topic.clone()).await, 200).await;
    refused(create(&server, "x_y", topic).await, 403, "permission_denied").await;
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_with_what_to_do() {
    let server = TestServer::start().await;
    for (body, status, code, hint) in [
        (
            json!({"topic": "public:x"}),
            409,
            "invalid_operation",
            "no member lists",
        ),
        (
            json!({"topic": "nowhere:x"}),
            404,
            "channel_not_found",
            "namespace",
        ),
        (json!({"topic": "private:"}), 400, "invalid_message", "segment"),
        (
            json!({"topic": "private:x", "title": "a\nb"}),
            400,
            "invalid_message",
            "`title`",
        ),
        (
            json!({"topic": "private:x", "members": [{"userId": "guest_1"}]}),
            400,
            "invalid_message",
            "guest",
        ),
        (
            json!({"topic": "private:x", "members": [{"userId": "b", "role": "king"}]}),
            400,
            "invalid_message",
            "role",
        ),
        (json!({}), 400, "invalid_message", "topic"),
    ] {
        let told = refused(create(&server, "ann", body.clone()).await, status, code).await;
        assert!(told.contains(hint), "{body}: {told}");
    }
    let many: Vec<Value> = (0..1_001).map(|id| json!({"userId": format!("m{id}")})).collect();
    let full = create(&server, "ann", json!({"topic": "private:x", "members": many})).await;
    assert!(refused(full, 409, "invalid_operation").await.contains("1000"));
    let guest = person("visitor", &json!({"role": "guest"}));
    let request = server.post("/api/v1/channels").bearer_auth(guest);
    let answer = request.json(&json!({"topic": "private:x"})).send().await.unwrap();
    refused(answer, 403, "permission_denied").await;
    let nobody = server.get("/api/v1/channels/mine").send().await.unwrap();
    refused(nobody, 401, "authentication_failed").await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_tried_on_lists_is_written_down() {
    let server = TestServer::start().await;
    read(
        create(&server, "ann", json!({"topic": "private:team"})).await,
        201,
    )
    .await;
    refused(
        ask(&server, "eve", Method::DELETE, BOB, None).await,
        403,
        "permission_denied",
    )
    .await;
    let audit = read(
        ask(&server, "root", Method::GET, "/audit?limit=50", None).await,
        200,
    )
    .await;
    let rows: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["act"])
        .collect();
    assert!(
        rows.contains(&&json!("channel.create")) && rows.contains(&&json!("member.remove")),
        "{audit}"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_account_that_is_removed_stands_in_no_list() {
    let server = TestServer::start().await;
    let alice = server.login("alice").await.user["userId"]
        .as_str()
        .unwrap()
        .to_owned();
    let new = json!({"topic": "private:team", "members": [{"userId": alice}]});
    read(create(&server, "ann", new).await, 201).await;
    let path = format!("/users/{alice}");
    let removed = ask(&server, "root", Method::DELETE, &path, None).await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    let left = ask(
        &server,
        "ann",
        Method::GET,
        "/channels/private:team/members",
        None,
    )
    .await;
    assert_eq!(read(left, 200).await["members"].as_array().unwrap().len(), 1);
    server.stop().await;
}

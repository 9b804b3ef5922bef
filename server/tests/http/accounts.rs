//! What people do with their own accounts: come as guests, register, change passwords, look after their logins.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::server::{PASSWORD, TestServer, logged_in, refused};

#[tokio::test]
async fn a_guest_comes_back_as_the_same_guest_and_nobody_else_does() {
    let server = TestServer::start().await;
    let come = async |cookie: Option<&str>| {
        let request = server.post("/api/v1/auth/guest");
        let request = cookie
            .iter()
            .fold(request, |request, cookie| request.header("cookie", *cookie));
        logged_in(request.send().await.unwrap()).await
    };
    let first = come(None).await;
    assert_eq!(first.user["role"], "guest");
    let id = first.user["userId"].as_str().unwrap();
    assert!(id.starts_with("guest_"), "{id}");
    assert!(first.cookie.starts_with("bmt_guest="), "{}", first.cookie);
    let me: Value = server.me(&first.access_token).await.json().await.unwrap();
    assert_eq!(me["user"], first.user);

    assert_eq!(come(Some(&first.cookie)).await.user, first.user);
    assert_ne!(come(None).await.user["userId"], id);
    let forged = format!("bmt_guest={id}.AAAA");
    assert_ne!(
        come(Some(&forged)).await.user["userId"],
        id,
        "an id alone is nobody's keepsake"
    );
    // A guest has no login, and what its browser keeps continues none.
    let refresh = first.cookie.replace("bmt_guest", "bmt_refresh");
    refused(server.refresh(&refresh).await, 401, "authentication_failed").await;
    let sessions = server
        .get("/api/v1/auth/sessions")
        .bearer_auth(&first.access_token);
    refused(sessions.send().await.unwrap(), 409, "invalid_operation").await;

    let user = bmt_shared::id::UserId::new(id);
    server.node().accounts.block(&user).await.unwrap();
    refused(server.me(&first.access_token).await, 401, "authentication_failed").await;
    let again = server.post("/api/v1/auth/guest").header("cookie", &first.cookie);
    refused(again.send().await.unwrap(), 403, "permission_denied").await;
    server.stop().await;
}

#[tokio::test]
async fn where_guests_are_not_let_in_there_is_no_guest() {
    let server = TestServer::start_with(|config| config.auth.guests = false).await;
    let guest = server.post("/api/v1/auth/guest").send().await.unwrap();
    refused(guest, 403, "permission_denied").await;
    server.stop().await;
}

#[tokio::test]
async fn whoever_registers_is_logged_in_and_a_username_is_taken_once() {
    let server = TestServer::start_with(|config| config.auth.registration = true).await;
    let register = async |body: Value| {
        let request = server.post("/api/v1/auth/register").json(&body);
        request.send().await.unwrap()
    };
    let body = json!({"username": "Carol", "password": "eight or more", "name": "Carol C."});
    let carol = logged_in(register(body.clone()).await).await;
    assert_eq!(
        (&carol.user["name"], &carol.user["role"]),
        (&json!("Carol C."), &json!("user"))
    );
    assert_eq!(server.me(&carol.access_token).await.status(), StatusCode::OK);
    logged_in(server.refresh(&carol.cookie).await).await;
    logged_in(server.try_login("carol", "eight or more").await).await;

    let taken = refused(register(body).await, 409, "invalid_operation").await;
    assert!(taken.contains("taken"), "{taken}");
    let short = json!({"username": "dan", "password": "short"});
    let text = refused(register(short).await, 400, "invalid_message").await;
    assert!(text.contains("8 characters"), "{text}");
    let odd = json!({"username": "d a n", "password": "eight or more"});
    refused(register(odd).await, 400, "invalid_message").await;
    server.stop().await;
}

#[tokio::test]
async fn registration_is_closed_unless_it_was_opened_and_bounded_where_it_is() {
    let body = json!({"username": "carol", "password": "eight or more"});
    let closed = TestServer::start().await;
    let response = closed
        .post("/api/v1/auth/register")
        .json(&body)
        .send()
        .await
        .unwrap();
    refused(response, 403, "permission_denied").await;
    closed.stop().await;

    let server = TestServer::start_with(|config| {
        config.auth.registration = true;
        config.limits.login_per_minute = 2;
    })
    .await;
    let mut statuses = Vec::new();
    for name in ["one", "two", "three"] {
        let body = json!({"username": name, "password": "eight or more"});
        let response = server
            .post("/api/v1/auth/register")
            .json(&body)
            .send()
            .await
            .unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    server.stop().await;
}

#[tokio::test]
async fn a_changed_password_ends_the_other_logins_and_needs_the_old_one() {
    let server = TestServer::start().await;
    let here = server.login("alice").await;
    let there = server.login("alice").await;
    let change = async |old: &str, new: &str| {
        let request = server
            .post("/api/v1/auth/password")
            .bearer_auth(&here.access_token);
        request
            .json(&json!({"old": old, "new": new}))
            .send()
            .await
            .unwrap()
    };
    refused(
        change("wrong", "another good one").await,
        403,
        "permission_denied",
    )
    .await;
    refused(change(PASSWORD, "short").await, 400, "invalid_message").await;
    let changed = change(PASSWORD, "another good one").await;
    assert_eq!(changed.status(), StatusCode::NO_CONTENT);
    assert_eq!(server.me(&here.access_token).await.status(), StatusCode::OK);
    refused(server.me(&there.access_token).await, 401, "authentication_failed").await;
    refused(server.refresh(&there.cookie).await, 401, "authentication_failed").await;
    refused(
        server.try_login("alice", PASSWORD).await,
        401,
        "authentication_failed",
    )
    .await;
    logged_in(server.try_login("alice", "another good one").await).await;
    server.stop().await;
}

/// FAULTS 52.
#[tokio::test]
async fn guessing_the_old_password_with_a_stolen_token_is_slowed_down_too() {
    let server = TestServer::start().await;
    let login = server.login("alice").await;
    for guess in 0..6 {
        let request = server
            .post("/api/v1/auth/password")
            .bearer_auth(&login.access_token);
        let body = json!({"old": format!("guess {guess}"), "new": "another good one"});
        let status = request.json(&body).send().await.unwrap().status().as_u16();
        assert_eq!(status, if guess < 5 { 403 } else { 429 });
    }
    server.stop().await;
}

#[tokio::test]
async fn an_administrators_link_sets_one_new_password_and_ends_all_logins() {
    let server = TestServer::start().await;
    let bob = server.login("bob").await;
    let admin = server.login("admin").await;
    let path = format!(
        "/api/v1/users/{}/password-reset",
        bob.user["userId"].as_str().unwrap()
    );
    let own = server
        .post(&path)
        .bearer_auth(&bob.access_token)
        .send()
        .await
        .unwrap();
    refused(own, 403, "permission_denied").await;
    let make = async || {
        let made = server
            .post(&path)
            .bearer_auth(&admin.access_token)
            .send()
            .await
            .unwrap();
        assert_eq!(made.status(), StatusCode::OK);
        let body: Value = made.json().await.unwrap();
        body["token"].as_str().unwrap().to_owned()
    };
    let outdated = make().await;
    let token = make().await;
    let reset = async |token: &str, new: &str| {
        let request = server.post("/api/v1/auth/password/reset");
        request
            .json(&json!({"token": token, "new": new}))
            .send()
            .await
            .unwrap()
    };
    refused(
        reset(&outdated, "a brand new one").await,
        403,
        "permission_denied",
    )
    .await;
    refused(
        reset("nonsense", "a brand new one").await,
        403,
        "permission_denied",
    )
    .await;
    refused(reset(&token, "short").await, 400, "invalid_message").await;
    assert_eq!(
        reset(&token, "a brand new one").await.status(),
        StatusCode::NO_CONTENT
    );
    refused(reset(&token, "and yet another").await, 403, "permission_denied").await;
    refused(server.me(&bob.access_token).await, 401, "authentication_failed").await;
    logged_in(server.try_login("bob", "a brand new one").await).await;
    // The code passes for no other kind of token.
    refused(server.me(&token).await, 401, "authentication_failed").await;
    server.stop().await;
}

#[tokio::test]
async fn logins_are_listed_and_ended_one_by_one_or_all_at_once_by_their_owner_alone() {
    let server = TestServer::start().await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let phone = server
        .post("/api/v1/auth/login")
        .header("user-agent", "a phone")
        .json(&body);
    let phone = logged_in(phone.send().await.unwrap()).await;
    let here = server.login("alice").await;
    let bob = server.login("bob").await;
    let list = async |token: &str| -> Vec<Value> {
        let response = server
            .get("/api/v1/auth/sessions")
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        let body: Value = response.json().await.unwrap();
        body["sessions"].as_array().unwrap().clone()
    };
    let all = list(&here.access_token).await;
    assert_eq!(all.len(), 2, "{all:?}");
    let of_phone = all.iter().find(|entry| entry["agent"] == "a phone").unwrap();
    assert_eq!(of_phone["current"], false);
    assert_eq!(all.iter().filter(|entry| entry["current"] == true).count(), 1);
    let path = format!("/api/v1/auth/sessions/{}", of_phone["id"].as_str().unwrap());
    let foreign = server
        .delete(&path)
        .bearer_auth(&bob.access_token)
        .send()
        .await
        .unwrap();
    refused(foreign, 404, "invalid_operation").await;
    assert_eq!(server.me(&phone.access_token).await.status(), StatusCode::OK);
    let ended = server
        .delete(&path)
        .bearer_auth(&here.access_token)
        .send()
        .await
        .unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    refused(server.me(&phone.access_token).await, 401, "authentication_failed").await;
    assert_eq!(list(&here.access_token).await.len(), 1);

    let third = server.login("alice").await;
    let all = server
        .post("/api/v1/auth/logout-all")
        .bearer_auth(&here.access_token);
    assert_eq!(all.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    for token in [&here.access_token, &third.access_token] {
        refused(server.me(token).await, 401, "authentication_failed").await;
    }
    assert_eq!(server.me(&bob.access_token).await.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_ticket_is_given_to_those_who_are_known_and_is_no_token() {
    let server = TestServer::start().await;
    let login = server.login("alice").await;
    let asked = server.post("/api/v1/ws-ticket").bearer_auth(&login.access_token);
    let response = asked.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["expiresIn"], 30);
    let ticket = body["ticket"].as_str().unwrap();
    refused(server.me(ticket).await, 401, "authentication_failed").await;
    let nobody = server.post("/api/v1/ws-ticket").send().await.unwrap();
    refused(nobody, 401, "authentication_failed").await;
    server.stop().await;
}

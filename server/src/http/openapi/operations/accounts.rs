//! Logging in and out, the own sessions, and tickets for connections.

use bmt_shared::error::ErrorCode::{
    AuthenticationFailed, InvalidMessage, InvalidOperation, PermissionDenied, RateLimited,
};
use serde_json::{Value, json};

use super::{Caller, Operation, on};
use crate::http::auth::{login, me, password, register, session, sessions, ticket};

type LoggedIn = session::Answer<'static>;

pub(super) fn operations() -> Vec<Operation> {
    [coming_in(), own_account(), sessions()].concat()
}

fn coming_in() -> Vec<Operation> {
    vec![
        on("POST", "/auth/login", "login", "Log in")
            .of(Caller::Visitor)
            .takes::<login::Credentials>(json!({"username": "ada", "password": "a long enough one"}))
            .gives::<LoggedIn>("A token, and a refresh cookie beside it.", logged_in("user"))
            .fails(AuthenticationFailed)
            .fails_as(403, AuthenticationFailed)
            .fails(RateLimited),
        on(
            "POST",
            "/auth/refresh",
            "login",
            "A new access token for the refresh cookie",
        )
        .of(Caller::Cookie)
        .gives::<LoggedIn>("A token, and the next refresh cookie.", logged_in("user")),
        on("POST", "/auth/logout", "login", "End this login")
            .of(Caller::Visitor)
            .done("It is over, if there was one."),
        on("GET", "/auth/me", "login", "Who the token speaks for")
            .of(Caller::User)
            .gives::<me::Me>(
                "The user, and when the token ends.",
                json!({"user": user("user"), "expiresAt": 1_790_000_000_000_u64}),
            ),
        on(
            "POST",
            "/auth/guest",
            "login",
            "Come in as a guest, where guests may",
        )
        .of(Caller::Visitor)
        .gives::<LoggedIn>(
            "A token, and a cookie that keeps the guest's id.",
            logged_in("guest"),
        ),
        on(
            "POST",
            "/auth/register",
            "login",
            "Make an own account, where registration is open",
        )
        .of(Caller::Visitor)
        .takes::<register::Registration>(json!({
            "username": "grace",
            "password": "a long enough one",
            "name": "Grace",
        }))
        .gives::<LoggedIn>("The account is made and logged in.", logged_in("user"))
        .fails(InvalidOperation)
        .fails(RateLimited),
    ]
}

fn own_account() -> Vec<Operation> {
    vec![
        on(
            "POST",
            "/auth/password",
            "login",
            "Change the own password; other logins end",
        )
        .of(Caller::User)
        .takes::<password::Change>(json!({"old": "a long enough one", "new": "another long one"}))
        .done("It is changed.")
        .fails(PermissionDenied)
        .fails(InvalidOperation)
        .fails_as(404, InvalidOperation)
        .fails(RateLimited),
        on(
            "POST",
            "/auth/password/reset",
            "login",
            "Set a password by a single-use link",
        )
        .of(Caller::Visitor)
        .takes::<password::Reset>(json!({"token": "r_the-code-of-the-link", "new": "another long one"}))
        .done("It is set, and all logins of the account are over.")
        .fails(RateLimited),
    ]
}

fn sessions() -> Vec<Operation> {
    vec![
        on("GET", "/auth/sessions", "sessions", "The own logins")
            .of(Caller::User)
            .gives::<sessions::Sessions>(
                "Those that hold.",
                json!({"sessions": [{
                    "id": "s_5kq",
                    "agent": "Mozilla/5.0",
                    "createdAt": 1_790_000_000_000_u64,
                    "lastUsedAt": 1_790_000_060_000_u64,
                    "expiresAt": 1_792_000_000_000_u64,
                    "current": true,
                }]}),
            )
            .fails(InvalidOperation),
        on(
            "DELETE",
            "/auth/sessions/{id}",
            "sessions",
            "End one of the own logins",
        )
        .of(Caller::User)
        .done("It is over.")
        .fails(InvalidOperation)
        .fails_as(404, InvalidOperation),
        on("POST", "/auth/logout-all", "sessions", "End all own logins")
            .of(Caller::User)
            .done("All are over, this one included.")
            .fails(PermissionDenied)
            .fails(InvalidOperation),
        on(
            "POST",
            "/ws-ticket",
            "login",
            "A single-use ticket for the raw WebSocket",
        )
        .of(Caller::User)
        .gives::<ticket::Ticket>(
            "The ticket, and for how many seconds it holds.",
            json!({"ticket": "the-ticket", "expiresIn": 30}),
        )
        .fails(RateLimited)
        .fails(InvalidMessage),
    ]
}

fn user(role: &str) -> Value {
    json!({"userId": "u_8TcX", "name": "Ada", "role": role, "permissions": []})
}

fn logged_in(role: &str) -> Value {
    json!({"accessToken": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "expiresIn": 900, "user": user(role)})
}

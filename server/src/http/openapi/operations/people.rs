//! Accounts, and what administrators do with users wherever they come from.

use bmt_shared::error::ErrorCode::{InvalidMessage, InvalidOperation, RateLimited};
use serde_json::{Value, json};

use super::{Content, Operation, on};
use crate::http::api::{connections, user_data, users};
use crate::http::auth::password;

pub(super) fn operations() -> Vec<Operation> {
    accounts().into_iter().chain(data()).collect()
}

fn accounts() -> Vec<Operation> {
    vec![
        on("GET", "/users", "users", "Users, the oldest first")
            .asks::<users::Wanted>()
            .gives::<users::Users>(
                "A page of users.",
                json!({"users": [user()], "total": 3, "nextCursor": "1790000000000.u_8TcX"}),
            ),
        on("POST", "/users", "users", "Make an account")
            .takes::<users::NewUser>(json!({
                "username": "ada",
                "password": "a long enough one",
                "name": "Ada",
                "role": "user",
            }))
            .gives_as::<users::Listed>(201, "Made.", user())
            .fails(InvalidOperation)
            .fails(RateLimited),
        on("GET", "/users/{id}", "users", "One user")
            .gives::<users::Listed>("The user.", user())
            .fails_as(404, InvalidOperation),
        on(
            "PATCH",
            "/users/{id}",
            "users",
            "Change a user's role, block or password",
        )
        .takes::<users::Change>(json!({"role": "admin", "blocked": false}))
        .gives::<users::Listed>("As the user is now.", user())
        .fails_as(404, InvalidOperation)
        .fails(InvalidOperation)
        .fails(RateLimited),
        on("DELETE", "/users/{id}", "users", "Remove an account")
            .done("It is gone; its id is never given again.")
            .fails_as(404, InvalidOperation)
            .fails(InvalidOperation),
        on(
            "POST",
            "/users/{id}/block",
            "users",
            "Keep a user out: logins and connections end",
        )
        .gives::<users::Listed>("As the user is now.", user())
        .fails(InvalidMessage)
        .fails_as(404, InvalidOperation)
        .fails(InvalidOperation),
        on("POST", "/users/{id}/unblock", "users", "Let a user in again")
            .gives::<users::Listed>("As the user is now.", user())
            .fails(InvalidMessage)
            .fails_as(404, InvalidOperation),
        on(
            "POST",
            "/users/{id}/disconnect",
            "users",
            "End all connections of a user to this node",
        )
        .gives::<connections::Disconnected>("How many there were.", json!({"disconnected": 2})),
        on(
            "POST",
            "/users/{id}/password-reset",
            "users",
            "Make a single-use link to a new password",
        )
        .gives::<password::Link<'static>>(
            "What the link carries, and for how many seconds it holds.",
            json!({"token": "r_the-code-of-the-link", "expiresIn": 86_400}),
        )
        .fails_as(404, InvalidOperation),
    ]
}

fn data() -> [Operation; 2] {
    [
        on(
            "GET",
            "/users/{id}/data",
            "users",
            "Everything that is kept about a user",
        )
        .given(
            200,
            "One JSON object a line, the last one of the type `end`.",
            Content::File("application/x-ndjson"),
        ),
        on(
            "DELETE",
            "/users/{id}/data",
            "users",
            "Erase a user: account, member lists, files, read positions, messages, reactions",
        )
        .gives::<user_data::Erased>("All of it is gone.", erased(true))
        .gives_as::<user_data::Erased>(202, "It goes on; ask again to hear of its end.", erased(false))
        .fails(InvalidOperation),
    ]
}

fn erased(done: bool) -> Value {
    let count = |count: u64| if done { count } else { 0 };
    json!({
        "done": done,
        "files": count(2),
        "messages": count(41),
        "reactions": count(7),
        "crashReports": count(1),
        "keptMessages": count(3),
    })
}

fn user() -> Value {
    json!({
        "userId": "u_8TcX",
        "username": "ada",
        "name": "Ada",
        "role": "user",
        "permissions": [],
        "blocked": false,
        "createdAt": 1_790_000_000_000_u64,
    })
}

//! Running the server: connections, figures, keys, what was done and what went wrong.

use bmt_shared::error::ErrorCode::{ConnectionNotFound, InvalidOperation, RateLimited};
use serde_json::json;

use super::{Caller, Content, Operation, on};
use crate::figures::Stats;
use crate::http::api::{audit, connections, errors, explain, keys, stats};
use crate::records::{AuditPage, CrashPage, NewKey};

pub(super) fn operations() -> Vec<Operation> {
    [connections(), figures(), keys(), records(), this_page()].concat()
}

fn connections() -> Vec<Operation> {
    vec![
        on(
            "GET",
            "/connections",
            "connections",
            "Who is connected to this node",
        )
        .asks::<connections::Wanted>()
        .gives::<connections::Connections>(
            "In the order of their ids.",
            json!({
                "connections": [{
                    "connectionId": "ZJ2mUO9cT3yvJ0q5kqXw7w",
                    "userId": "42",
                    "name": "Ada",
                    "role": "user",
                    "connectedAt": 1_790_000_000_000_u64,
                    "address": "203.0.113.7",
                    "transport": "websocket",
                    "userAgent": "Mozilla/5.0",
                    "subscriptions": 3,
                }],
                "total": 1,
            }),
        ),
        on(
            "DELETE",
            "/connections/{id}",
            "connections",
            "End a connection; its client stays away",
        )
        .gives::<connections::Disconnected>("It is told to go.", json!({"disconnected": 1}))
        .fails(ConnectionNotFound),
    ]
}

fn figures() -> Vec<Operation> {
    vec![
        on("GET", "/stats", "figures", "How the server is doing")
            .asks::<stats::Wanted>()
            .gives::<Stats>(
                "The same goes out on `system:metrics` every five seconds.",
                json!({
                    "connections": 120,
                    "users": 100,
                    "channels": 40,
                    "totalMessages": 90_000,
                    "messagesPerSecond": 12.5,
                    "deliveredPerSecond": 400.0,
                    "latencyMs": {"p50": 0.4, "p95": 2.0, "p99": 5.0},
                    "memoryBytes": 90_000_000,
                    "cpuPercent": 12.0,
                    "uptimeMs": 86_400_000,
                    "nodes": 1,
                    "channelDetails": [{
                        "name": "public:orders",
                        "subscribers": 12,
                        "messageCount": 1_000,
                        "createdAt": 1_790_000_000_000_u64,
                        "seq": 4_711,
                    }],
                }),
            ),
        on(
            "GET",
            "/permissions/explain",
            "users",
            "Whether a user may do something on a channel, and by which rule",
        )
        .asks::<explain::Asked>()
        .gives::<explain::Explained>(
            "The answer of the function by which requests are admitted.",
            json!({
                "allowed": false,
                "code": "permission_denied",
                "rule": {"code": "no_member_list", "text": "a private channel without a member list is closed"},
                "membership": "unlisted",
                "user": {
                    "userId": "42",
                    "role": "user",
                    "permissions": [],
                    "source": "account",
                    "blocked": false,
                },
            }),
        ),
    ]
}

fn keys() -> Vec<Operation> {
    let key = json!({
        "id": "k_7Qm2",
        "name": "shop",
        "scopes": ["publish"],
        "createdBy": "u_1",
        "createdAt": 1_790_000_000_000_u64,
    });
    let mut made = key.clone();
    made["key"] = json!("bmt_k_7Qm2_the-key-itself");
    vec![
        on("GET", "/keys", "keys", "API keys, without their secrets")
            .gives::<keys::Keys>("All of them.", json!({"keys": [key]})),
        on(
            "POST",
            "/keys",
            "keys",
            "Make an API key; its text is shown this once",
        )
        .takes::<NewKey>(json!({"name": "shop", "scopes": ["publish"]}))
        .gives_as::<keys::Made>(201, "Made.", made)
        .fails(InvalidOperation),
        on("DELETE", "/keys/{id}", "keys", "Revoke an API key")
            .done("It opens nothing any more.")
            .fails_as(404, InvalidOperation),
    ]
}

fn records() -> Vec<Operation> {
    vec![
        on(
            "GET",
            "/audit",
            "records",
            "What was done and what was refused, the newest first",
        )
        .asks::<audit::Wanted>()
        .gives::<AuditPage>(
            "A page of rows.",
            json!({
                "entries": [{
                    "id": 7,
                    "at": 1_790_000_000_000_u64,
                    "actorKind": "user",
                    "actor": "u_1",
                    "act": "user.block",
                    "target": "42",
                    "outcome": "done",
                    "status": 200,
                    "address": "203.0.113.7",
                    "requestId": "Zk3v0aQ2Hc9x",
                    "times": 1,
                }],
                "nextCursor": "7",
            }),
        ),
        on(
            "GET",
            "/errors",
            "records",
            "What crashed in people's browsers, the last first",
        )
        .asks::<errors::Wanted>()
        .gives::<CrashPage>(
            "A page of crashes.",
            json!({"errors": [{
                "id": 3,
                "error": "TypeError: x is undefined",
                "stack": "at draw (app.js:7)",
                "componentStack": "Chat > Row",
                "userId": "42",
                "agent": "Mozilla/5.0",
                "address": "203.0.113.7",
                "reports": 12,
                "firstAt": 1_790_000_000_000_u64,
                "lastAt": 1_790_000_060_000_u64,
            }]}),
        ),
        on("POST", "/errors", "records", "Report a crash of the web app")
            .of(Caller::Visitor)
            .takes::<errors::Report>(json!({
                "error": "TypeError: x is undefined",
                "stack": "at draw (app.js:7)",
                "componentStack": "Chat > Row",
                "timestamp": 1_790_000_000_000_u64,
            }))
            .done("It is kept.")
            .fails(RateLimited),
    ]
}

fn this_page() -> Vec<Operation> {
    let file = |path, summary, kind| {
        on("GET", path, "description", summary).given(200, "The file.", Content::File(kind))
    };
    vec![
        file("/openapi.json", "This document", "application/json"),
        file("/docs", "A page that shows it", "text/html"),
        file("/docs.js", "The page's script", "text/javascript"),
        file("/docs.css", "The page's style", "text/css"),
    ]
}

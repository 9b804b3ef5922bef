//! `GET /api/v1/openapi.json`: the API described, and a page that shows the description (SPEC §8).
//!
//! Who may use a guarded route and what it is called in the audit log come from the table that the routes are made
//! of; bodies come from the types that are read and written.

mod body;
mod describing;
mod operations;
pub(in crate::http) mod wire;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::node::Node;
use body::Schemas;
use operations::operations;

/// What the page may do: show itself and ask for the description.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                           frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

pub(super) async fn document(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(describe(&node.current().config))
}

pub(super) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("docs/page.html"))
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("docs/page.js"))
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("docs/page.css"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(PAGE_POLICY),
        ),
    ];
    (headers, text).into_response()
}

/// The whole document, OpenAPI 3.1.
fn describe(config: &Config) -> Value {
    let table = super::table(config);
    let mut schemas: Schemas = Vec::new();
    let mut paths: Map<String, Value> = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for operation in operations() {
        let full = format!("/api/v1{}", operation.path);
        let line = table
            .iter()
            .find(|line| line.path == operation.path && line.method.as_str() == operation.method);
        let told = operation.describe(line, &mut schemas);
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
        let methods = paths.entry(full).or_insert_with(|| json!({}));
        methods[operation.method.to_ascii_lowercase()] = told;
    }
    let schemas: Map<String, Value> = schemas
        .into_iter()
        .map(|(name, schema)| (name, json!(schema)))
        .collect();
    let base = config.http.base();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "BMT Realtime",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Channels, messages, users and figures over HTTP. What is published here is from the user \
                            `server`. The realtime endpoints are Socket.IO at `/socket.io/` and a raw WebSocket at \
                            `/api/v1/ws`.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": if base.is_empty() { "/" } else { base }}],
        "tags": tags.iter().map(|tag| json!({"name": tag})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "What `POST /api/v1/auth/login` answers, or a token of an own back end.",
                },
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "For programs; `POST /api/v1/keys` makes one. `Authorization: Bearer` takes it too.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": super::auth::REFRESH_COOKIE,
                    "description": "The refresh cookie that a login sets.",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests;

//! `GET /api/v1/openapi.json`: the API described, and a page that shows the description (SPEC §8).
//!
//! Who may use a guarded route and what it is called in the audit log come from the table that the routes are made
//! of; bodies come from the types that are read and written.

mod operations;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{RefOr, path};

use super::route::Line;
use crate::config::Config;
use crate::node::Node;
use operations::{OPERATIONS, Operation};

/// What the page may do: show itself and ask for the description.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                           frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// Schemas by their names.
type Schemas = Vec<(String, RefOr<Schema>)>;

/// A body's type: its name, and its schema with all that it refers to.
pub(super) struct Body {
    name: fn() -> String,
    schemas: fn(&mut Schemas),
}

impl Body {
    const fn of<T: ToSchema>() -> Self {
        Self {
            name: || T::name().into_owned(),
            schemas: |all| {
                all.push((T::name().into_owned(), T::schema()));
                T::schemas(all);
            },
        }
    }
}

/// The parameters in an address's query.
type Query = fn() -> Vec<path::Parameter>;

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
    for operation in OPERATIONS {
        let full = format!("/api/v1{}", operation.path);
        let line = table
            .iter()
            .find(|line| line.path == operation.path && line.method.as_str() == operation.method);
        let told = operation.describe(line, &mut schemas);
        let methods = paths.entry(full).or_insert_with(|| json!({}));
        methods[operation.method.to_ascii_lowercase()] = told;
    }
    let schemas: Map<String, Value> = schemas
        .into_iter()
        .map(|(name, schema)| (name, json!(schema)))
        .chain([("Failure".to_owned(), failure())])
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
        },
        "servers": [{"url": if base.is_empty() { "/" } else { base }}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    })
}

/// SPEC §4.
fn failure() -> Value {
    json!({
        "type": "object",
        "required": ["type", "id", "status", "code", "error", "message"],
        "properties": {
            "type": {"const": "error"},
            "id": {"type": "string", "description": "The request's id, or the message's."},
            "status": {"const": "error"},
            "code": {"type": "string", "description": "For programs; see ERROR_CODES.md."},
            "error": {"type": "string", "description": "What happened, why, and what to do."},
            "message": {"type": "string", "description": "The same text."},
            "retryAfterMs": {"type": "integer", "description": "When to come again, ms."},
        },
    })
}

impl Operation {
    fn describe(&self, line: Option<&Line>, schemas: &mut Schemas) -> Value {
        let mut refer = |body: &Body| {
            (body.schemas)(schemas);
            json!({"$ref": format!("#/components/schemas/{}", (body.name)())})
        };
        let content = |schema: Value| json!({"application/json": {"schema": schema}});
        let failed = json!({"$ref": "#/components/schemas/Failure"});
        let answer = self.gives.as_ref().map_or(json!({"type": "object"}), &mut refer);
        let mut told = json!({
            "summary": self.summary,
            "operationId": format!("{} {}", self.method, self.path),
            "tags": [self.path.split('/').nth(1).unwrap_or_default()],
            "parameters": self.parameters(),
            "responses": {
                "2XX": {"description": "Done.", "content": content(answer)},
                "default": {"description": "Refused.", "content": content(failed)},
            },
        });
        if let Some(body) = &self.takes {
            let schema = refer(body);
            told["requestBody"] = json!({"required": true, "content": content(schema)});
        }
        match line {
            Some(line) => {
                let scope = line.scope.as_str();
                told["description"] = json!(format!(
                    "An administrator's token, or an API key with the scope `{scope}`. In the audit log: `{}`.",
                    line.act
                ));
                told["security"] = json!([{"token": []}, {"apiKey": []}]);
                told["x-scope"] = json!(scope);
            }
            None if self.token => told["security"] = json!([{"token": []}]),
            None => told["security"] = json!([]),
        }
        told
    }

    fn parameters(&self) -> Vec<Value> {
        let named = self.path.split('/').filter_map(|part| {
            let name = part.strip_prefix('{')?.strip_suffix('}')?;
            Some(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        });
        let asked = self.asks.map(|asks| asks()).unwrap_or_default();
        named
            .chain(asked.iter().map(|parameter| json!(parameter)))
            .collect()
    }
}

#[cfg(test)]
mod tests;

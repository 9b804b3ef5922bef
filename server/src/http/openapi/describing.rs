//! An operation as OpenAPI says it.

use std::collections::{BTreeMap, BTreeSet};

use bmt_shared::error::ErrorCode;
use serde_json::{Map, Value, json};

use super::body::{Body, Schemas};
use super::operations::{Caller, Content, Given, Operation, Taken};
use super::wire;
use crate::http::route::Line;

impl Operation {
    /// Adds the schemas that it refers to. `line` is its line in the table of guarded routes, where it has one.
    pub(super) fn describe(&self, line: Option<&Line>, schemas: &mut Schemas) -> Value {
        let mut told = json!({
            "summary": self.summary,
            "operationId": self.id(),
            "tags": [self.tag],
            "parameters": self.parameters(),
            "responses": self.responses(line.is_some(), schemas),
            "security": match (line, self.caller) {
                (Some(_), _) => json!([{"token": []}, {"apiKey": []}]),
                (None, Caller::User) => json!([{"token": []}]),
                (None, Caller::Cookie) => json!([{"cookie": []}]),
                (None, Caller::Anybody | Caller::Visitor) => json!([]),
            },
        });
        if let Some(taken) = &self.takes {
            let content = match taken {
                Taken::Json(body, examples) => content(&body.refer(schemas), examples),
                Taken::Form(field, what) => form(field, what),
            };
            told["requestBody"] = json!({"required": true, "content": content});
        }
        if let Some(line) = line {
            let scope = line.scope.as_str();
            told["description"] = json!(format!(
                "An administrator's token, or an API key with the scope `{scope}`. In the audit log: `{}`.",
                line.act
            ));
            told["x-scope"] = json!(scope);
        }
        told
    }

    /// `getChannelsByTopicHistory`: a name that a program can have.
    fn id(&self) -> String {
        let mut id = self.method.to_ascii_lowercase();
        for part in self.path.split(['/', '-', '.']).filter(|part| !part.is_empty()) {
            let (before, word) = match part.strip_prefix('{') {
                Some(name) => ("By", name.trim_end_matches('}')),
                None => ("", part),
            };
            id.push_str(before);
            let mut letters = word.chars();
            id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            id.push_str(letters.as_str());
        }
        id
    }

    fn parameters(&self) -> Vec<Value> {
        let named = self.path.split('/').filter_map(|part| {
            let name = part.strip_prefix('{')?.strip_suffix('}')?;
            Some(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        });
        named
            .chain(self.asks.iter().map(|parameter| json!(parameter)))
            .collect()
    }

    fn responses(&self, is_guarded: bool, schemas: &mut Schemas) -> Map<String, Value> {
        let mut responses = Map::new();
        for Given {
            status,
            what,
            content: given,
        } in &self.gives
        {
            let mut response = json!({"description": what});
            match given {
                Content::Nothing => {}
                Content::Json(body, examples) => {
                    response["content"] = content(&body.refer(schemas), examples);
                }
                Content::File(kind) => response["content"] = json!({*kind: {}}),
            }
            responses.insert(status.to_string(), response);
        }
        let failure = Body::of::<wire::Failure>().refer(schemas);
        for (status, codes) in self.failures(is_guarded) {
            responses.insert(status, refused(&failure, &codes));
        }
        responses
    }

    /// Codes by status, those that many operations share among them.
    fn failures(&self, is_guarded: bool) -> BTreeMap<String, BTreeSet<String>> {
        use ErrorCode::{
            AuthenticationFailed, InvalidMessage, MessageTooLarge, PermissionDenied, RateLimited, ServerError,
        };
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut add = |status: &str, code: ErrorCode| {
            all.entry(status.to_owned()).or_default().insert(code.to_string());
        };
        add("408", InvalidMessage);
        add("429", RateLimited);
        add("5XX", ServerError);
        if self.takes.is_some() {
            add("400", InvalidMessage);
            add("413", MessageTooLarge);
            add("415", InvalidMessage);
        }
        if !self.asks.is_empty() || self.path.contains('{') {
            add("400", InvalidMessage);
        }
        if is_guarded || matches!(self.caller, Caller::User | Caller::Cookie) {
            add("401", AuthenticationFailed);
        }
        if is_guarded || matches!(self.caller, Caller::Visitor | Caller::Cookie) {
            add("403", PermissionDenied);
        }
        for (status, code) in &self.fails {
            add(&status.to_string(), code.clone());
        }
        all
    }
}

fn form(field: &str, what: &str) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {field: {"type": "string", "format": "binary", "description": what}},
        "required": [field],
    });
    json!({"multipart/form-data": {"schema": schema}})
}

fn content(schema: &Value, examples: &[Value]) -> Value {
    let mut content = json!({"schema": schema});
    match examples {
        [] => {}
        [example] => content["example"] = example.clone(),
        several => {
            let named = several
                .iter()
                .enumerate()
                .map(|(at, example)| (format!("example{}", at + 1), json!({"value": example})));
            content["examples"] = named.collect::<Map<_, _>>().into();
        }
    }
    json!({"application/json": content})
}

fn refused(failure: &Value, codes: &BTreeSet<String>) -> Value {
    let all: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
    let codes: Vec<_> = codes.iter().collect();
    let text = "What happened, why, and what to do.";
    let schema = json!({"allOf": [failure, {"properties": {"code": {"enum": codes}}}]});
    let example = json!({
        "type": "error",
        "id": "Zk3v0aQ2Hc9x",
        "status": "error",
        "code": codes[0],
        "error": text,
        "message": text,
    });
    json!({
        "description": format!("Refused: {}.", all.join(", ")),
        "content": content(&schema, &[example]),
    })
}

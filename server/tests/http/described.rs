//! The document against the server: every operation is called, every answer is what the document says, and every
//! example is taken as it stands there.

mod refusals;

use std::collections::BTreeSet;

use jsonschema::{Validator, draft202012};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use image::{DynamicImage, ImageFormat};

use crate::forms::{self, BOUNDARY};
use crate::members::person;
use crate::server::TestServer;

/// Who asks.
#[derive(Clone, Copy)]
enum By<'a> {
    Nobody,
    Token(&'a str),
    Cookie(&'a str),
}

/// What is sent.
enum Sent {
    Nothing,
    /// The example of the document, by its place.
    Example(usize),
    Own(Value),
}

use Sent::{Example, Nothing, Own};

/// The document, and what of it was seen.
struct Described<'a> {
    server: &'a TestServer,
    document: Value,
    seen: BTreeSet<(String, String)>,
}

impl<'a> Described<'a> {
    async fn of(server: &'a TestServer) -> Self {
        let document = server.get("/api/v1/openapi.json").send().await.unwrap();
        let mut document: Value = document.json().await.unwrap();
        // A field that no schema knows is a fault here, though not for callers.
        for schema in document["components"]["schemas"]
            .as_object_mut()
            .unwrap()
            .values_mut()
        {
            if schema.get("properties").is_some() {
                schema["additionalProperties"] = json!(false);
            }
        }
        Self {
            server,
            document,
            seen: BTreeSet::new(),
        }
    }

    fn operations(&self) -> Vec<(String, String, Value)> {
        let mut all = Vec::new();
        for (path, methods) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                all.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
        all
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({"components": self.document["components"], "allOf": [schema]});
        draft202012::options().build(&whole).unwrap()
    }

    fn check(&self, what: &str, schema: &Value, value: &Value) {
        let validator = self.validator(schema);
        let wrong: Vec<_> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{what}: {wrong:#?} in {value}");
    }

    /// Sends a request and holds the answer against the document; answers status and body.
    async fn send(&mut self, method: &str, path: &str, request: RequestBuilder) -> (u16, Value) {
        let operation = &self.document["paths"][&format!("/api/v1{path}")][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {path} is not described");
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type");
        let kind = kind.map(|kind| kind.to_str().unwrap().split(';').next().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let what = format!("{method} {path} {status} {text}");
        let said = &operation["responses"][status.to_string()];
        assert!(said.is_object(), "not described: {what}");
        let body = match (said["content"].as_object(), kind) {
            (None, _) => {
                assert_eq!(text, "", "{what}");
                Value::Null
            }
            (Some(content), kind) => {
                let kind = kind.unwrap_or_else(|| panic!("no type: {what}"));
                let said = content.get(&kind).or(content.get("*/*"));
                let said = said.unwrap_or_else(|| panic!("{kind}: {what}"));
                let value = serde_json::from_str(&text).unwrap_or_default();
                if let Some(schema) = said.get("schema") {
                    self.check(&what, schema, &value);
                }
                value
            }
        };
        let named = format!("{method} {path}");
        self.seen.insert((named, status.to_string()));
        (status, body)
    }

    /// Makes a call that succeeds.
    async fn call(&mut self, method: &str, path: &str, at: &[&str], by: By<'_>, sent: Sent) -> Value {
        let request = self.request(method, path, at);
        let request = match by {
            By::Nobody => request,
            By::Token(token) => request.bearer_auth(token),
            By::Cookie(cookie) => request.header("cookie", cookie),
        };
        let operation = &self.document["paths"][&format!("/api/v1{path}")][method.to_lowercase()];
        let takes = &operation["requestBody"]["content"]["application/json"];
        let request = match sent {
            Nothing => request,
            Example(place) => {
                let examples = examples(takes);
                request.json(&examples[place])
            }
            Own(body) => {
                self.check(&format!("{method} {path}"), &takes["schema"], &body);
                request.json(&body)
            }
        };
        let (status, body) = self.send(method, path, request).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {body}");
        body
    }

    /// A request without a caller; `at` is what stands in the path.
    fn request(&self, method: &str, path: &str, at: &[&str]) -> RequestBuilder {
        self.server
            .request(method.parse::<Method>().unwrap(), &Self::path(path, at))
    }

    fn path(path: &str, at: &[&str]) -> String {
        let mut at = at.iter();
        let parts = path.split('/').map(|part| match part.strip_prefix('{') {
            Some(_) => at.next().copied().unwrap_or("nobody"),
            None => part,
        });
        format!("/api/v1{}", parts.collect::<Vec<_>>().join("/"))
    }
}

fn examples(content: &Value) -> Vec<Value> {
    match (content.get("example"), content.get("examples")) {
        (Some(example), _) => vec![example.clone()],
        (None, Some(several)) => {
            let several = several.as_object().unwrap().values();
            several.map(|one| one["value"].clone()).collect()
        }
        (None, None) => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_operation_is_told_whole_and_every_example_fits() {
    let server = TestServer::start().await;
    let described = Described::of(&server).await;
    let mut ids = BTreeSet::new();
    let mut bodies = 0;
    for (method, path, operation) in described.operations() {
        let what = format!("{method} {path}");
        assert!(
            operation["summary"].as_str().is_some_and(|text| text.len() > 5),
            "{what}"
        );
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{what}");
        assert!(operation["security"].is_array(), "{what}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(id.chars().all(|letter| letter.is_ascii_alphanumeric()), "{id}");
        assert!(ids.insert(id.to_owned()), "{id} twice");
        let responses = operation["responses"].as_object().unwrap();
        for class in ["2", "4", "5"] {
            assert!(
                responses.keys().any(|status| status.starts_with(class)),
                "{what}: {class}"
            );
        }
        let contents = responses
            .iter()
            .map(|(status, response)| (status.as_str(), response));
        for (status, said) in contents.chain([("body", &operation["requestBody"])]) {
            let content = &said["content"]["application/json"];
            if let Some(schema) = content.get("schema") {
                let examples = examples(content);
                assert!(!examples.is_empty(), "{what} {status} has no example");
                for example in examples {
                    described.check(&format!("{what} {status}"), schema, &example);
                    bodies += 1;
                }
            }
        }
        let asks = operation["parameters"].as_array().unwrap();
        for parameter in asks.iter().filter(|parameter| parameter["in"] != "path") {
            assert!(parameter["description"].is_string(), "{what}: {parameter}");
        }
    }
    assert!(bodies > 150, "{bodies}");
    server.stop().await;
}

#[tokio::test]
async fn every_answer_of_every_route_is_what_the_document_says() {
    let server = TestServer::start_with(|config| config.auth.registration = true).await;
    let mut api = Described::of(&server).await;
    for path in ["/openapi.json", "/docs", "/docs.js", "/docs.css"] {
        api.call("GET", path, &[], By::Nobody, Nothing).await;
    }
    let admin = server.login("admin").await.access_token;
    let admin = By::Token(&admin);
    messages(&mut api, admin).await;
    many_channels(&mut api, admin).await;
    lists(&mut api).await;
    files(&mut api).await;
    people(&mut api, admin).await;
    logins(&mut api, admin).await;
    running(&mut api, admin).await;
    let mut missing = Vec::new();
    for (method, path, operation) in api.operations() {
        let named = format!("{method} {}", path.trim_start_matches("/api/v1"));
        for status in operation["responses"].as_object().unwrap().keys() {
            // An erasure that outlasts the wait for its answer cannot be had here.
            let is_seen = status == "202" || api.seen.contains(&(named.clone(), status.clone()));
            if status.starts_with('2') && !is_seen {
                missing.push(format!("{named} {status}"));
            }
        }
    }
    assert!(missing.is_empty(), "never seen: {missing:#?}");
    server.stop().await;
}

async fn messages(api: &mut Described<'_>, admin: By<'_>) {
    for place in [0, 1, 0] {
        api.call("POST", "/publish", &[], admin, Example(place)).await;
    }
    // What can be done to a message shows in its history.
    for payload in [
        json!({"type": "reaction", "target": "", "emoji": "👍", "on": true}),
        json!({"type": "edit", "target": "", "content": "b"}),
    ] {
        let first = json!({"topic": "public:forms", "payload": {"type": "text", "content": "a"}});
        let first = api.call("POST", "/publish", &[], admin, Own(first)).await;
        let mut payload = payload;
        payload["target"] = first["messageId"].clone();
        let second = json!({"topic": "public:forms", "payload": payload});
        api.call("POST", "/publish", &[], admin, Own(second)).await;
        let gone =
            json!({"topic": "public:forms", "payload": {"type": "delete", "target": first["messageId"]}});
        api.call(
            "GET",
            "/channels/{topic}/history",
            &["public:forms"],
            admin,
            Nothing,
        )
        .await;
        api.call("POST", "/publish", &[], admin, Own(gone)).await;
    }
    let page = api
        .call(
            "GET",
            "/channels/{topic}/history",
            &["public:forms"],
            admin,
            Nothing,
        )
        .await;
    assert!(
        page["messages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["deleted"] == true),
        "{page}"
    );
}

async fn many_channels(api: &mut Described<'_>, admin: By<'_>) {
    let some = json!({"topics": ["public:a", "nowhere:b"], "payload": 1, "messageId": "m"});
    let answer = api.call("POST", "/broadcast", &[], admin, Own(some)).await;
    assert_eq!(answer["results"][1]["code"], "channel_not_found");
    api.call("POST", "/broadcast", &[], admin, Example(0)).await;
    api.call("POST", "/notify", &[], admin, Example(0)).await;
    api.call("GET", "/channels", &[], admin, Nothing).await;
    let url = format!(
        "ws://{}/api/v1/ws?token={}",
        api.server.address(),
        person("eve", &json!({"name": "Eve"}))
    );
    let (mut socket, _) = tokio_tungstenite::connect_async(url.into_client_request().unwrap())
        .await
        .unwrap();
    let subscribe = json!({"type": "subscribe", "messageId": "s", "data": {"topic": "public:a"}});
    let subscribe = tokio_tungstenite::tungstenite::Message::text(subscribe.to_string());
    futures_util::SinkExt::send(&mut socket, subscribe).await.unwrap();
    while !futures_util::StreamExt::next(&mut socket)
        .await
        .unwrap()
        .unwrap()
        .to_string()
        .contains("\"ack\"")
    {}
    let present = api
        .call("GET", "/channels/{topic}/presence", &["public:a"], admin, Nothing)
        .await;
    assert_eq!(present["users"][0]["name"], "Eve");
    let live = api.call("GET", "/connections", &[], admin, Nothing).await;
    let id = text(&live["connections"][0]["connectionId"]);
    api.call("DELETE", "/connections/{id}", &[&id], admin, Nothing)
        .await;
}

async fn lists(api: &mut Described<'_>) {
    let ann = person("ann", &json!({}));
    let ann = By::Token(&ann);
    let topic = "private:team";
    for _ in ["made", "there"] {
        api.call("POST", "/channels", &[], ann, Example(0)).await;
    }
    api.call("GET", "/channels/mine", &[], ann, Nothing).await;
    api.call("GET", "/channels/{topic}/members", &[topic], ann, Nothing)
        .await;
    let member = "/channels/{topic}/members/{user}";
    api.call("GET", member, &[topic, "43"], ann, Nothing).await;
    api.call("PUT", member, &[topic, "43"], ann, Example(0)).await;
    api.call("DELETE", member, &[topic, "43"], ann, Nothing).await;
    api.call("DELETE", "/channels/{topic}", &[topic], ann, Nothing)
        .await;
}

async fn files(api: &mut Described<'_>) {
    let ann = person("ann", &json!({}));
    let mut picture = std::io::Cursor::new(Vec::new());
    DynamicImage::new_rgb8(900, 600)
        .write_to(&mut picture, ImageFormat::Png)
        .unwrap();
    let form = forms::form(&[forms::part("file", b"a.png", "image/png", picture.get_ref())]);
    let upload = "/files/upload";
    let request = api
        .request("POST", upload, &[])
        .bearer_auth(&ann)
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(form);
    let (status, file) = api.send("POST", upload, request).await;
    assert_eq!(status, 201, "{file}");
    let id = text(&file["id"]);
    let by_ann = By::Token(&ann);
    api.call("GET", "/files", &[], by_ann, Nothing).await;
    api.call("GET", "/files/{id}", &[&id], by_ann, Nothing).await;
    for (path, field) in [
        ("/files/{id}/{name}", "url"),
        ("/files/{id}/{name}/thumbnail", "thumbnailUrl"),
    ] {
        let url = text(&file[field]);
        for (range, expected) in [
            (Some("bytes=0-"), 206),
            (Some("bytes=9000000-"), 416),
            (None, 200),
        ] {
            let request = api.server.get(&url);
            let request = match range {
                Some(range) => request.header("range", range),
                None => request,
            };
            assert_eq!(
                api.send("GET", path, request).await.0,
                expected,
                "{path} {range:?}"
            );
        }
        let request = api
            .server
            .get(&url)
            .header("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT");
        assert_eq!(api.send("GET", path, request).await.0, 304, "{path}");
    }
    api.call("DELETE", "/files/{id}", &[&id], by_ann, Nothing).await;
}

async fn people(api: &mut Described<'_>, admin: By<'_>) {
    let made = api.call("POST", "/users", &[], admin, Example(0)).await;
    let ada = text(&made["userId"]);
    api.call("GET", "/users", &[], admin, Nothing).await;
    api.call("GET", "/users/{id}", &[&ada], admin, Nothing).await;
    api.call("PATCH", "/users/{id}", &[&ada], admin, Example(0)).await;
    for act in ["block", "unblock", "disconnect"] {
        api.call("POST", &format!("/users/{{id}}/{act}"), &[&ada], admin, Nothing)
            .await;
    }
    api.call("GET", "/users/{id}/data", &[&ada], admin, Nothing).await;
    api.call("DELETE", "/users/{id}/data", &["nobody"], admin, Nothing)
        .await;
    // Of a user from elsewhere less is known.
    api.call("POST", "/users/{id}/block", &["stranger"], admin, Nothing)
        .await;
    api.call("DELETE", "/users/{id}", &["stranger"], admin, Nothing)
        .await;
    let link = api
        .call("POST", "/users/{id}/password-reset", &[&ada], admin, Nothing)
        .await;
    let reset = json!({"token": link["token"], "new": "a long enough one"});
    api.call("POST", "/auth/password/reset", &[], By::Nobody, Own(reset))
        .await;
}

async fn logins(api: &mut Described<'_>, admin: By<'_>) {
    let in_again = api.call("POST", "/auth/login", &[], By::Nobody, Example(0)).await;
    let token = text(&in_again["accessToken"]);
    let ada = By::Token(&token);
    api.call("GET", "/auth/me", &[], ada, Nothing).await;
    api.call("POST", "/ws-ticket", &[], ada, Nothing).await;
    api.call("POST", "/auth/password", &[], ada, Example(0)).await;
    let sessions = api.call("GET", "/auth/sessions", &[], ada, Nothing).await;
    let session = text(&sessions["sessions"][0]["id"]);
    api.call("DELETE", "/auth/sessions/{id}", &[&session], ada, Nothing)
        .await;
    api.call("POST", "/auth/guest", &[], By::Nobody, Nothing).await;
    let registered = api
        .call("POST", "/auth/register", &[], By::Nobody, Example(0))
        .await;
    let grace = text(&registered["accessToken"]);
    api.call("POST", "/auth/logout-all", &[], By::Token(&grace), Nothing)
        .await;
    let bob = api.server.login("bob").await;
    api.call("POST", "/auth/refresh", &[], By::Cookie(&bob.cookie), Nothing)
        .await;
    api.call("POST", "/auth/logout", &[], By::Cookie(&bob.cookie), Nothing)
        .await;
    let gone = api.call("GET", "/users", &[], admin, Nothing).await;
    let ada = gone["users"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["username"] == "ada")
        .unwrap();
    let ada = text(&ada["userId"]);
    api.call("DELETE", "/users/{id}", &[&ada], admin, Nothing).await;
}

async fn running(api: &mut Described<'_>, admin: By<'_>) {
    api.call("POST", "/errors", &[], By::Nobody, Example(0)).await;
    for path in ["/errors", "/audit", "/stats", "/keys"] {
        api.call("GET", path, &[], admin, Nothing).await;
    }
    let made = api.call("POST", "/keys", &[], admin, Example(0)).await;
    let ending = json!({"name": "ends", "scopes": ["read", "admin"], "expiresAt": 4_000_000_000_000_u64});
    api.call("POST", "/keys", &[], admin, Own(ending)).await;
    api.call("GET", "/keys", &[], admin, Nothing).await;
    api.call("DELETE", "/keys/{id}", &[&text(&made["id"])], admin, Nothing)
        .await;
    let By::Token(token) = admin else {
        unreachable!("the administrator has a token")
    };
    for query in [
        "user=42&channel=private:x&action=publish",
        "user=42&channel=public:x&action=history",
    ] {
        let path = "/permissions/explain";
        let request = api
            .server
            .get(&format!("/api/v1{path}?{query}"))
            .bearer_auth(token);
        assert_eq!(api.send("GET", path, request).await.0, 200);
    }
    for path in ["/channels", "/users", "/audit", "/connections"] {
        let request = api
            .server
            .get(&format!("/api/v1{path}?limit=1"))
            .bearer_auth(token);
        assert_eq!(api.send("GET", path, request).await.0, 200);
    }
}

//! Traces that a running server exports, as an OpenTelemetry collector gets them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bmt_server::config::{Config, Secret};
use futures_util::{SinkExt, StreamExt};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use reqwest::StatusCode as Status;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::command::{output, text};
use crate::figures::metric;
use crate::forms::{BOUNDARY, UPLOAD, form, part};
use crate::incidents::{SMALL_FILES, incident};
use crate::reload::{Server, user};
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);
/// A trace that began elsewhere, and the span in it that asks.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// What one export carried.
type Export = (HeaderMap, Bytes);

/// Takes spans as a collector does.
#[derive(Clone, Default)]
struct Collector {
    exports: Arc<Mutex<Vec<Export>>>,
    /// Exports that are put off before one is taken.
    busy: Arc<Mutex<u32>>,
}

impl Collector {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn exports(&self) -> Vec<Export> {
        self.exports.lock().unwrap().clone()
    }

    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for (_, body) in self.exports() {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            for resource in request.resource_spans {
                let of_resource = resource.resource.unwrap();
                let name = of_resource
                    .attributes
                    .iter()
                    .find(|pair| pair.key == "service.name");
                assert!(name.is_some(), "{of_resource:?}");
                spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        spans
    }

    /// Searches all bytes that were exported for these, and for what [`a_private_message`] holds.
    fn was_not_told(&self, more: &[&str]) {
        for (_, body) in self.exports() {
            let body = String::from_utf8_lossy(&body).into_owned();
            for private in [&["that is private", "of-nobody-else"], more].concat() {
                assert!(!body.contains(private), "{private} in {body}");
            }
        }
    }

    /// The only span of this name.
    fn span(&self, name: &str) -> Span {
        let mut spans = self.spans();
        let named: Vec<_> = spans.iter().map(|span| span.name.clone()).collect();
        spans.retain(|span| span.name == name);
        assert_eq!(spans.len(), 1, "{name} in {named:?}");
        spans.remove(0)
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut busy = collector.busy.lock().unwrap();
    if *busy > 0 {
        *busy -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    collector.exports.lock().unwrap().push((headers, body));
    StatusCode::OK
}

/// An attribute as text; empty where there is none.
fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|pair| pair.key == key);
    match found.and_then(|pair| pair.value.clone()?.value) {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

fn attributes<const N: usize>(span: &Span, keys: [&str; N]) -> [String; N] {
    keys.map(|key| attribute(span, key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lies_in(span: &Span, parent: &Span) {
    assert_eq!(
        (&span.trace_id, &span.parent_span_id),
        (&parent.trace_id, &parent.span_id)
    );
}

fn a_private_message() -> Value {
    json!({"topic": "public:of-nobody-else", "payload": "a text that is private"})
}

fn exporting(config: &mut Config, endpoint: &str) {
    config.telemetry.otlp_endpoint = endpoint.to_owned();
    config.limits.publish_per_second = 0;
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connected(server: &TestServer, token: &str) -> Socket {
    let url = format!("ws://{}/api/v1/ws?token={token}", server.address());
    connect_async(url).await.unwrap().0
}

async fn ask(socket: &mut Socket, kind: &str, data: &Value) -> Value {
    let frame = json!({"type": kind, "data": data, "messageId": "r"});
    socket.send(Message::text(frame.to_string())).await.unwrap();
    let answered = async {
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["messageId"] == "r" {
                    return frame;
                }
            }
        }
    };
    timeout(PATIENCE, answered).await.expect("an answer comes")
}

#[tokio::test]
async fn a_request_and_its_publish_are_spans_of_the_callers_trace() {
    let collector = Collector::default();
    let endpoint = collector.listen().await;
    let server = TestServer::start_with(|config| {
        exporting(config, &endpoint);
        config.telemetry.otlp_headers = Secret::new("x-api-key=for%20the%20collector");
    })
    .await;
    let admin = server.login("admin").await;
    let published = server
        .post("/api/v1/publish")
        .bearer_auth(&admin.access_token)
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .json(&a_private_message());
    assert_eq!(published.send().await.unwrap().status(), Status::OK);
    assert_eq!(server.get("/healthz").send().await.unwrap().status(), Status::OK);
    assert_eq!(
        server.get("/no/such/path").send().await.unwrap().status(),
        Status::NOT_FOUND
    );
    // What is queued goes out before the end.
    server.stop().await;

    let request = collector.span("POST /api/v1/publish");
    assert_eq!(
        (hex(&request.trace_id), hex(&request.parent_span_id)),
        (TRACE.into(), CALLER.into())
    );
    assert_eq!(
        attributes(
            &request,
            ["http.request.method", "http.route", "http.response.status_code"]
        ),
        ["POST", "/api/v1/publish", "200"]
    );
    let publish = collector.span("publish");
    lies_in(&publish, &request);
    assert_eq!(
        attributes(
            &publish,
            [
                "bmt.namespace",
                "bmt.seq",
                "bmt.delivered_to",
                "messaging.message.body.size"
            ]
        ),
        ["public", "1", "0", "24"]
    );
    let store = collector.span("store");
    lies_in(&store, &publish);
    assert_eq!(attribute(&store, "bmt.batch.rows"), "1");
    assert!(publish.start_time_unix_nano <= store.start_time_unix_nano);
    assert!(store.end_time_unix_nano <= publish.end_time_unix_nano);
    assert_eq!(
        attribute(&collector.span("GET"), "http.response.status_code"),
        "404"
    );
    assert!(
        collector
            .spans()
            .iter()
            .all(|span| !span.name.contains("healthz"))
    );

    for (headers, _) in collector.exports() {
        assert_eq!(headers["x-api-key"], "for the collector");
        assert_eq!(headers["content-type"], "application/x-protobuf");
    }
    let user = admin.user["userId"].as_str().unwrap();
    collector.was_not_told(&["such/path", "admin", &admin.access_token, user]);
}

#[tokio::test]
async fn connections_and_what_they_publish_are_spans_without_names_tokens_and_texts() {
    let collector = Collector::default();
    let endpoint = collector.listen().await;
    let server = TestServer::start_with(|config| exporting(config, &endpoint)).await;
    let alice = server.login("alice").await;
    let mut socket = connected(&server, &alice.access_token).await;
    assert_eq!(
        ask(&mut socket, "publish", &a_private_message()).await["type"],
        "ack"
    );
    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
    let (mut official, _) = connect_async(url).await.unwrap();
    let connect = format!("40{}", json!({"token": alice.access_token}));
    official.send(Message::text(connect)).await.unwrap();
    let answered = async {
        loop {
            if let Message::Text(packet) = official.next().await.unwrap().unwrap()
                && packet.starts_with("40")
            {
                return;
            }
        }
    };
    timeout(PATIENCE, answered).await.expect("it is let in");
    let mut refused = connected(&server, "a.bad.token").await;
    while let Some(Ok(_)) = timeout(PATIENCE, refused.next()).await.expect("it is closed") {}
    server.stop().await;

    let spans = collector.spans();
    let handshakes: Vec<_> = spans
        .iter()
        .filter(|span| ["GET /api/v1/ws", "GET /socket.io/"].contains(&span.name.as_str()))
        .collect();
    assert_eq!(handshakes.len(), 3);
    let mut outcomes = Vec::new();
    for span in spans.iter().filter(|span| span.name == "connect") {
        assert!(
            handshakes
                .iter()
                .any(|request| request.span_id == span.parent_span_id)
        );
        outcomes.push(attributes(span, ["bmt.transport", "error.type"]));
    }
    outcomes.sort();
    assert_eq!(outcomes, [["raw", ""], ["raw", "malformed"], ["websocket", ""]]);
    // A publish over a connection begins a trace of its own.
    let publish = collector.span("publish");
    assert!(publish.parent_span_id.is_empty());
    lies_in(&collector.span("store"), &publish);
    let user = alice.user["userId"].as_str().unwrap();
    collector.was_not_told(&["a.bad.token", "alice", &alice.access_token, user]);
}

#[tokio::test]
async fn the_ratio_decides_of_own_traces_and_the_caller_of_the_others() {
    for (ratio, flags, is_exported) in [(0.0, "01", true), (1.0, "00", false), (0.0, "", false)] {
        let collector = Collector::default();
        let endpoint = collector.listen().await;
        let server = TestServer::start_with(|config| {
            exporting(config, &endpoint);
            config.telemetry.sample_ratio = ratio;
        })
        .await;
        let mut asked = server.get("/api/v1/auth/me");
        if !flags.is_empty() {
            asked = asked.header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"));
        }
        assert_eq!(asked.send().await.unwrap().status(), Status::UNAUTHORIZED);
        server.stop().await;
        let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
        let expected: &[&str] = if is_exported {
            &["GET /api/v1/auth/me"]
        } else {
            &[]
        };
        assert_eq!(names, expected, "{ratio} {flags}");
    }
}

#[tokio::test]
async fn a_collector_that_is_busy_gets_the_same_spans_again_and_once() {
    let collector = Collector::default();
    *collector.busy.lock().unwrap() = 1;
    let endpoint = collector.listen().await;
    let server = TestServer::start_with(|config| exporting(config, &endpoint)).await;
    server.try_login("nobody", "wrong").await;
    let began = Instant::now();
    while metric(&server, "bmt_trace_spans_total").await < 1.0 {
        assert!(began.elapsed() < PATIENCE, "it is sent again");
        sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
    assert_eq!(*collector.busy.lock().unwrap(), 0);
    collector.span("POST /api/v1/auth/login");
}

/// More spans than wait, by 2 for each message.
async fn overflow(server: &TestServer) {
    let alice = server.login("alice").await;
    let mut socket = connected(server, &alice.access_token).await;
    let messages = vec![json!({"topic": "public:a", "payload": 1}); 200];
    for round in 0..25 {
        let mut messages = messages.clone();
        for (at, message) in messages.iter_mut().enumerate() {
            message["messageId"] = json!(format!("m{round}-{at}"));
        }
        let answer = ask(&mut socket, "publish", &json!({"messages": messages})).await;
        assert_eq!(answer["type"], "ack", "{answer}");
    }
}

#[tokio::test]
async fn a_collector_that_never_answers_or_is_not_there_holds_nobody_up_and_what_is_lost_is_counted() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    for address in [silent.local_addr().unwrap(), gone] {
        let endpoint = format!("http://{address}");
        let server = TestServer::start_with(|config| exporting(config, &endpoint)).await;
        // Each answer in it is waited for, and comes.
        overflow(&server).await;
        assert!(metric(&server, "bmt_trace_spans_dropped_total").await > 0.0);
        assert_eq!(metric(&server, "bmt_messages_total").await, 5_000.0);
        // Within the ten seconds that are promised, whatever waits for the collector.
        server.stop().await;
    }
}

#[tokio::test]
async fn an_incident_is_named_in_the_spans_of_what_it_met() {
    let collector = Collector::default();
    let endpoint = collector.listen().await;
    let config = format!("limits.publish_per_second = 0\ntelemetry.otlp_endpoint = \"{endpoint}\"\n");
    let server = Server::start_after(SMALL_FILES, &config, None);
    let mut client = server.connect(&user("u")).await;
    let publish = json!({"topic": "public:a", "payload": "x".repeat(60_000)});
    let mut refused = Value::Null;
    for _ in 0..200 {
        let answer = client.request("publish", publish.clone()).await;
        if answer["type"] == "error" {
            refused = answer;
            break;
        }
    }
    let publish_incident = incident(refused["data"]["message"].as_str().unwrap());
    // A file that is larger than files may be meets another failure.
    let file = part("file", b"f", "application/octet-stream", &[0; 4_000_000]);
    let uploaded = reqwest::Client::new()
        .post(server.url(UPLOAD))
        .bearer_auth(user("u"))
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(form(&[file]));
    let uploaded: Value = uploaded.send().await.unwrap().json().await.unwrap();
    let upload_incident = incident(uploaded["message"].as_str().unwrap());
    let mut expected = vec![
        ("POST /api/v1/files/upload".to_owned(), upload_incident),
        ("publish".to_owned(), publish_incident.clone()),
        ("store".to_owned(), publish_incident),
    ];
    let began = Instant::now();
    while !expected.is_empty() {
        let spans = collector.spans();
        expected.retain(|(name, incident)| {
            let met = |span: &Span| span.name == *name && attribute(span, "bmt.incident") == *incident;
            !spans.iter().any(met)
        });
        assert!(began.elapsed() < PATIENCE, "{expected:?} of {spans:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn an_endpoint_that_cannot_be_one_is_refused_before_the_start_and_the_standard_variables_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bmt.toml");
    let file = file.to_str().unwrap();
    let checked = |config: &str, env: &[(&str, &str)]| {
        let secret = format!("auth.jwt_secret = \"{}\"\n{config}", crate::command::SECRET);
        std::fs::write(file, secret).unwrap();
        let checked = output(&["check-config", "--config", file], env);
        (checked.status.success(), text(&checked.stderr))
    };
    for (setting, told) in [
        ("otlp_endpoint = \"localhost:4318\"", "http://localhost:4318"),
        (
            "otlp_endpoint = \"grpc://localhost:4317\"",
            "must begin with `http://`",
        ),
        (
            "otlp_endpoint = \"http://me:secret-word@localhost\"",
            "`telemetry.otlp_headers` is the place",
        ),
        (
            "otlp_endpoint = \"http://localhost/?key=secret-word\"",
            "`telemetry.otlp_headers` is the place",
        ),
        ("otlp_headers = \"secret-word\"", "name=value"),
        ("otlp_timeout_ms = 0", "between 1 and"),
        ("sample_ratio = 2", "between 0 and 1"),
        ("service_name = \"\"", "must not be empty"),
    ] {
        let (fine, why) = checked(&format!("telemetry.{setting}\n"), &[]);
        assert!(
            !fine && why.contains("`telemetry.") && why.contains(told),
            "{setting}: {why}"
        );
        assert!(!why.contains("secret-word"), "{why}");
    }
    let standard = [("OTEL_EXPORTER_OTLP_ENDPOINT", "no address at all")];
    assert!(!checked("", &standard).0);
    assert!(
        checked("telemetry.otlp_endpoint = \"http://localhost:4318\"\n", &standard).0,
        "the file outranks it"
    );
}

//! `/stats`, `/metrics` and `system:metrics`: real figures, for whom they are meant.

use std::time::Duration;

use bmt_server::http::metrics::METRICS;
use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::server::TestServer;

async fn publish(server: &TestServer, token: &str, count: usize) {
    for at in 0..count {
        let body = json!({"topic": "public:figures", "payload": at});
        let sent = server.post("/api/v1/publish").bearer_auth(token).json(&body);
        assert_eq!(sent.send().await.unwrap().status(), StatusCode::OK);
    }
}

async fn stats(server: &TestServer, token: &str) -> Value {
    let response = server
        .get("/api/v1/stats")
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    response.json().await.unwrap()
}

pub(crate) async fn metric(server: &TestServer, name: &str) -> f64 {
    let text = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("{name} in {text}"))
        .rsplit(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn subscribed(server: &TestServer, token: &str, topic: &str) -> Socket {
    let url = format!("ws://{}/api/v1/ws?token={token}", server.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let subscribe = json!({"type": "subscribe", "messageId": "s", "data": {"topic": topic}});
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    wait_for(&mut socket, |frame| frame["type"] == "ack").await;
    socket
}

async fn wait_for(socket: &mut Socket, fits: impl Fn(&Value) -> bool) -> Value {
    let found = async {
        loop {
            let Message::Text(text) = socket.next().await.unwrap().unwrap() else {
                continue;
            };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if fits(&frame) {
                return frame;
            }
        }
    };
    timeout(Duration::from_secs(20), found)
        .await
        .expect("the frame comes")
}

#[tokio::test]
async fn the_figures_count_what_happens() {
    let server = TestServer::start().await;
    let token = server.login("admin").await.access_token;
    let mut listener = subscribed(&server, &token, "public:figures").await;
    publish(&server, &token, 3).await;
    for _ in 0..3 {
        wait_for(&mut listener, |frame| frame["topic"] == "public:figures").await;
    }
    let stats = stats(&server, &token).await;
    let told = |name: &str| {
        stats[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name} in {stats}"))
    };
    assert_eq!(
        (told("connections"), told("users"), told("totalMessages")),
        (1.0, 1.0, 3.0)
    );
    assert_eq!(told("nodes"), 1.0);
    assert!(
        told("messagesPerSecond") > 0.0 && told("deliveredPerSecond") > 0.0,
        "{stats}"
    );
    assert!(told("uptimeMs") > 0.0 && told("cpuPercent") >= 0.0, "{stats}");
    assert!(!cfg!(target_os = "linux") || told("memoryBytes") > 1e6, "{stats}");
    let latency = &stats["latencyMs"];
    assert!(latency["p50"].as_f64().unwrap() > 0.0, "{stats}");
    assert!(latency["p50"].as_f64() <= latency["p99"].as_f64(), "{stats}");
    let details = stats["channelDetails"].as_array().unwrap();
    let channel = details
        .iter()
        .find(|channel| channel["name"] == "public:figures")
        .unwrap();
    assert_eq!(
        (&channel["subscribers"], &channel["messageCount"], &channel["seq"]),
        (&json!(1), &json!(3), &json!(3))
    );
    assert!(channel["createdAt"].as_u64().unwrap() > 1_700_000_000_000);
    for (name, number) in [
        ("bmt_connections", 1.0),
        ("bmt_messages_total", 3.0),
        ("bmt_deliveries_total", 3.0),
        ("bmt_publish_duration_seconds_count", 3.0),
        ("bmt_publish_duration_seconds_bucket{le=\"+Inf\"}", 3.0),
    ] {
        assert_eq!(metric(&server, name).await, number, "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn every_metric_of_the_table_is_shown_with_its_kind() {
    let server = TestServer::start().await;
    // Of requests there are series when there were requests.
    server.get("/healthz").send().await.unwrap();
    let response = server.get("/metrics").send().await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for metric in METRICS {
        let family = metric.name.trim_end_matches("_total");
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert!(
            text.contains(&format!("# TYPE {family} {kind}\n")),
            "{family} in {text}"
        );
        assert!(
            text.lines().any(|line| line.starts_with(metric.name)),
            "{} in {text}",
            metric.name
        );
    }
    server.stop().await;
}

/// The value of the series of these labels, in the order of the table; none where there is none.
fn series(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    let line = format!("{name}{{{}}} ", labels.join(","));
    text.lines()
        .find_map(|found| found.strip_prefix(&line))
        .map(|value| value.parse().unwrap())
}

#[tokio::test]
async fn requests_are_counted_by_route_and_nobody_makes_up_a_series() {
    let server = TestServer::start().await;
    let token = server.login("admin").await.access_token;
    publish(&server, &token, 2).await;
    let page = "/api/v1/channels/public:figures/history";
    for _ in 0..3 {
        assert_eq!(
            server.get(page).send().await.unwrap().status(),
            StatusCode::UNAUTHORIZED
        );
    }
    for at in 0..50 {
        server.get(&format!("/made/up/{at}")).send().await.unwrap();
        server.get(&format!("/api/v1/made-up-{at}")).send().await.unwrap();
        let method = reqwest::Method::from_bytes(format!("MADE{at}").as_bytes()).unwrap();
        server.request(method, "/healthz").send().await.unwrap();
    }
    let text = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    let count = |route, method, status| {
        let labels = [("route", route), ("method", method), ("status", status)];
        series(&text, "bmt_http_requests_total", &labels)
    };
    assert_eq!(count("/api/v1/publish", "POST", "2xx"), Some(2.0), "{text}");
    let history = "/api/v1/channels/{topic}/history";
    assert_eq!(count(history, "GET", "4xx"), Some(3.0), "{text}");
    assert_eq!(count(history, "GET", "2xx"), None);
    assert_eq!(count("other", "GET", "4xx"), Some(100.0), "{text}");
    assert_eq!(count("/healthz", "other", "4xx"), Some(50.0), "{text}");
    assert!(!text.contains("made"), "{text}");
    let took = |name: &str| series(&text, name, &[("route", history), ("method", "GET")]);
    assert_eq!(
        took("bmt_http_request_duration_seconds_count"),
        Some(3.0),
        "{text}"
    );
    assert!(took("bmt_http_request_duration_seconds_sum").unwrap() > 0.0);
    let all = [("le", "+Inf"), ("route", history), ("method", "GET")];
    assert_eq!(
        series(&text, "bmt_http_request_duration_seconds_bucket", &all),
        Some(3.0),
        "{text}"
    );
    assert_eq!(
        metric(&server, "bmt_http_requests_in_flight").await,
        1.0,
        "this one"
    );
    server.stop().await;
}

#[tokio::test]
async fn outside_dev_mode_metrics_need_a_key() {
    let server = TestServer::start_with(|config| config.http.open_metrics = false).await;
    let admin = server.login("admin").await.access_token;
    assert_eq!(
        server.get("/metrics").send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let body = json!({"name": "prometheus", "scopes": ["read"]});
    let made = server
        .post("/api/v1/keys")
        .bearer_auth(&admin)
        .json(&body)
        .send()
        .await
        .unwrap();
    let made: Value = made.json().await.unwrap();
    let scrape = server.get("/metrics").bearer_auth(made["key"].as_str().unwrap());
    assert_eq!(scrape.send().await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn the_figures_are_told_only_while_somebody_listens() {
    let server = TestServer::start().await;
    let token = server.login("admin").await.access_token;
    assert_eq!(stats(&server, &token).await["totalMessages"], 0);
    let mut listener = subscribed(&server, &token, "system:metrics").await;
    let frame = wait_for(&mut listener, |frame| frame["topic"] == "system:metrics").await;
    assert_eq!(
        (&frame["from"], &frame["data"]["connections"]),
        (&json!("server"), &json!(1))
    );
    listener.close(None).await.unwrap();
    server.stop().await;
}

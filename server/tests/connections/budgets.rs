//! Publishing faster than is allowed: by one connection, by many of one user, by many of one address, behind
//! proxies and with made-up addresses (FAULTS 51); and what becomes of those who do not stop.

use bmt_server::config::Config;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::raw::RawClient;
use crate::support::{Client, POLLING, Polling, Socket, TestServer, WEBSOCKET, token, unix_ms};

/// A connection's own rate and burst: refusals in these tests come from elsewhere where they can.
const PER_SECOND: u64 = 10;
const USER_FACTOR: u64 = 2;
const ADDRESS_FACTOR: u64 = 3;

fn tight(config: &mut Config) {
    config.limits.publish_per_second = PER_SECOND;
    config.limits.publish_burst = PER_SECOND;
    config.limits.rate_factor_per_user = USER_FACTOR;
    config.limits.rate_factor_per_address = ADDRESS_FACTOR;
    // Nobody reads here while another's answer is waited for.
    config.heartbeat.interval_ms = 60_000;
    config.heartbeat.timeout_ms = 60_000;
}

fn behind_a_proxy(config: &mut Config) {
    tight(config);
    config.http.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
}

/// What many publishes came to.
#[derive(Debug, Default)]
struct Count {
    published: u64,
    /// The texts of the refusals.
    refused: Vec<String>,
}

impl Count {
    fn add(&mut self, answer: &Value) {
        if answer["status"] == "success" {
            self.published += 1;
            return;
        }
        assert_eq!(answer["code"], "rate_limited", "{answer}");
        let wait_ms = answer["retryAfterMs"].as_u64().unwrap();
        assert!((1..=1_000).contains(&wait_ms), "{answer}");
        self.refused.push(answer["message"].as_str().unwrap().to_owned());
    }

    /// Whether it is one burst and what the time since then added.
    fn is_about(&self, factor: u64, began: Instant) -> bool {
        let rate = factor * PER_SECOND;
        let added = u64::try_from(began.elapsed().as_millis()).unwrap() * rate / 1_000 + 1;
        (rate..=rate + added).contains(&self.published)
    }
}

async fn publish(client: &mut Client, count: &mut Count) {
    let body = json!({"topic": "public:a", "payload": 1});
    count.add(&client.request("publish", &body).await);
}

/// Each client publishes so often, one after the other.
async fn publish_all(clients: &mut [Client], each: usize) -> Count {
    let mut count = Count::default();
    for _ in 0..each {
        for client in &mut *clients {
            publish(client, &mut count).await;
        }
    }
    count
}

async fn connect_from(server: &TestServer, sub: &str, forwarded: &str) -> Client {
    let headers = [("x-forwarded-for", forwarded.to_owned())];
    let socket = Socket::open(&server.url(WEBSOCKET), &headers).await.unwrap();
    Client::greet(socket, &token(sub)).await
}

#[tokio::test]
async fn a_thousand_publishes_a_second_of_one_connection_are_fifty_after_the_burst() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let began = Instant::now();
    for call in 1..=1_000 {
        let publish = json!(["publish", {"topic": "public:a", "payload": call}]);
        client.socket.send(format!("42{call}{publish}")).await;
    }
    let mut count = Count::default();
    // A refusal waits for no commit: it overtakes what was granted before it.
    for _ in 1..=1_000 {
        let packet = client.packet().await;
        let answer = packet.strip_prefix("43").unwrap_or_else(|| panic!("{packet}"));
        let answer: Value = serde_json::from_str(&answer[answer.find('[').unwrap()..]).unwrap();
        count.add(&answer[0]);
    }
    let added = u64::try_from(began.elapsed().as_millis()).unwrap() * 50 / 1_000 + 1;
    assert!((100..=100 + added).contains(&count.published), "{count:?}");
    // Who waits as it was told is served.
    let body = json!({"topic": "public:a", "payload": 1});
    let mut wait_ms = 0;
    loop {
        sleep(Duration::from_millis(wait_ms)).await;
        let answer = client.request("publish", &body).await;
        if answer["status"] == "success" {
            break;
        }
        assert_eq!(wait_ms, 0, "told twice: {answer}");
        wait_ms = answer["retryAfterMs"].as_u64().unwrap();
    }
}

#[tokio::test]
async fn ten_connections_of_one_user_share_its_budget_and_others_have_their_own() {
    let server = TestServer::with(|config| {
        tight(config);
        config.limits.rate_factor_per_address = 0;
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Client::connect(&server, "u").await);
    }
    let began = Instant::now();
    let count = publish_all(&mut clients, 8).await;
    assert!(
        count.is_about(USER_FACTOR, began),
        "{count:?} in {:?}",
        began.elapsed()
    );
    assert!(
        count
            .refused
            .iter()
            .any(|text| text.contains("all your connections"))
    );
    let mut other = [Client::connect(&server, "other").await];
    assert_eq!(publish_all(&mut other, 5).await.published, 5);
}

#[tokio::test]
async fn a_hundred_connections_of_one_address_share_its_budget_over_both_transports() {
    let server = TestServer::with(tight).await;
    let mut clients = Vec::new();
    for n in 0..99 {
        clients.push(Client::connect(&server, &format!("u{n}")).await);
    }
    let mut raw = RawClient::connect(&server, &token("raw")).await;
    let began = Instant::now();
    let count = publish_all(&mut clients, 1).await;
    assert!(
        count.is_about(ADDRESS_FACTOR, began),
        "{count:?} in {:?}",
        began.elapsed()
    );
    assert!(
        count
            .refused
            .iter()
            .all(|text| text.contains("from your address"))
    );
    let mut codes = Vec::new();
    for _ in 0..10 {
        let answer = raw
            .request("publish", &json!({"topic": "public:a", "payload": 1}))
            .await;
        codes.push(answer["data"]["code"].clone());
    }
    assert!(codes.contains(&json!(2002)), "{codes:?}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_forwarded_address_has_its_budget() {
    let server = TestServer::with(behind_a_proxy).await;
    let mut near = Vec::new();
    let mut far = Vec::new();
    for n in 0..10 {
        // What stands further left anybody can have made up.
        let forwarded = format!("192.0.2.{n}, 198.51.100.1");
        near.push(connect_from(&server, &format!("n{n}"), &forwarded).await);
        far.push(connect_from(&server, &format!("f{n}"), "198.51.100.2").await);
    }
    let began = Instant::now();
    let count = publish_all(&mut near, 8).await;
    assert!(
        count.is_about(ADDRESS_FACTOR, began),
        "{count:?} in {:?}",
        began.elapsed()
    );
    let count = publish_all(&mut far, 2).await;
    assert_eq!(count.published, 20, "{count:?}");
}

#[tokio::test]
async fn the_addresses_of_one_ipv6_network_share_a_budget() {
    let server = TestServer::with(behind_a_proxy).await;
    let mut clients = Vec::new();
    for n in 0..10 {
        clients.push(connect_from(&server, &format!("u{n}"), &format!("2001:db8::{n}")).await);
    }
    let began = Instant::now();
    let count = publish_all(&mut clients, 8).await;
    assert!(
        count.is_about(ADDRESS_FACTOR, began),
        "{count:?} in {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn an_address_that_nobody_trusted_told_changes_nothing() {
    let server = TestServer::with(tight).await;
    let mut clients = Vec::new();
    for n in 0..10 {
        clients.push(connect_from(&server, &format!("u{n}"), &format!("198.51.100.{n}")).await);
    }
    let began = Instant::now();
    let count = publish_all(&mut clients, 8).await;
    assert!(
        count.is_about(ADDRESS_FACTOR, began),
        "{count:?} in {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn reading_histories_in_a_flood_is_limited_too() {
    let server = TestServer::with(|config| config.limits.read_per_second = 5).await;
    let mut client = Client::connect(&server, "u").await;
    let mut codes = Vec::new();
    for verb in ["history", "presence"].repeat(10) {
        let answer = client.request(verb, &json!({"topic": "public:a"})).await;
        codes.push(answer["code"].as_str().map(str::to_owned));
    }
    assert!(codes[..10].iter().all(Option::is_none), "{codes:?}");
    assert!(
        codes[10..].contains(&Some("rate_limited".to_owned())),
        "{codes:?}"
    );
}

/// Sends far more than is allowed and reads all answers; answers how many a second there were.
async fn flood_over(requests: u64, mut send: impl AsyncFnMut(u64), mut answered: impl AsyncFnMut()) -> f64 {
    let began = Instant::now();
    for call in 1..=requests {
        send(call).await;
    }
    for _ in 0..requests {
        answered().await;
    }
    requests as f64 / began.elapsed().as_secs_f64()
}

#[tokio::test]
async fn who_is_refused_without_end_is_read_more_slowly_and_loses_nothing() {
    let server = TestServer::with(tight).await;
    let raw = RawClient::connect(&server, &token("raw")).await;
    let socketio = Client::connect(&server, "socketio").await;
    let raw = std::cell::RefCell::new(raw);
    let socketio = std::cell::RefCell::new(socketio);
    // A thousand refusals are free, the next thousand take four seconds.
    let publish = json!({"topic": "public:a", "payload": 1});
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "the two closures run one after the other"
    )]
    let rate = flood_over(
        2_000,
        async |call| {
            let frame = json!({"type": "publish", "data": publish, "messageId": format!("m{call}")});
            raw.borrow_mut().socket.send(frame.to_string()).await;
        },
        async || {
            raw.borrow_mut().socket.text().await;
        },
    )
    .await;
    assert!(rate < 600.0, "{rate} a second over the raw WebSocket");
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "the two closures run one after the other"
    )]
    let rate = flood_over(
        2_000,
        async |call| {
            let frame = format!("42{call}{}", json!(["publish", publish]));
            socketio.borrow_mut().socket.send(frame).await;
        },
        async || {
            socketio.borrow_mut().packet().await;
        },
    )
    .await;
    assert!(rate < 600.0, "{rate} a second over Socket.IO");
}

/// SPEC §10: without any traffic. Heartbeats are traffic, so they are slower than that here.
#[tokio::test]
async fn a_connection_without_any_traffic_is_closed() {
    let server = TestServer::with(|config| {
        config.limits.stale_ms = 400;
        config.heartbeat.interval_ms = 60_000;
    })
    .await;
    let mut raw = RawClient::connect(&server, &token("r")).await;
    let mut socketio = Client::connect(&server, "s").await;
    let polling = Polling::connect(&server, "p").await;
    // Each request is traffic, and so is its answer.
    let began = unix_ms();
    while unix_ms() < began + 1_200 {
        raw.request("presence", &json!({"topic": "public:a"})).await;
        socketio.request("presence", &json!({"topic": "public:a"})).await;
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(socketio.event("closing").await["reason"], "stale");
    assert_eq!(raw.socket.close_code().await, Some(4004));
    drop(polling);
    server.emptied().await;
    assert_eq!(
        reqwest::get(server.url(POLLING)).await.unwrap().status(),
        200,
        "newcomers are welcome"
    );
}

//! `kill -HUP`: a running process reads its configuration again (SPEC §10).

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::command::{Process, SECRET, command_after, text};
use crate::key_sets;

const PATIENCE: Duration = Duration::from_secs(20);

/// A process with a configuration file, killed when the test is over.
pub(crate) struct Server {
    process: Process,
    dir: TempDir,
    pub(crate) address: String,
    seen: usize,
}

impl Server {
    fn start(config: &str) -> Self {
        Self::start_after("true", config, None)
    }

    /// Starts it after something that a shell does, and under a supervisor.
    pub(crate) fn start_after(first: &str, config: &str, supervisor: Option<&str>) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("bmt.toml");
        std::fs::write(&file, with_secret(config)).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let data = dir.path().join("data");
        let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
        let args = ["serve", "--config", file, "--port", "0", "--data-dir", data];
        let mut command = command_after(first, &args);
        command.stderr(log);
        if let Some(path) = supervisor {
            command.env("NOTIFY_SOCKET", path);
        }
        let (process, lines) = Process::launch(&mut command);
        let address = lines
            .last()
            .unwrap()
            .strip_prefix("listening on http://")
            .unwrap();
        Self {
            process,
            address: address.to_owned(),
            dir,
            seen: 0,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Changes the file, sends the signal, and answers with the log lines of that reload.
    async fn reload(&mut self, config: &str) -> String {
        std::fs::write(self.path("bmt.toml"), with_secret(config)).unwrap();
        self.hang_up().await
    }

    async fn hang_up(&mut self) -> String {
        self.process.signal("HUP");
        let began = Instant::now();
        loop {
            let log = std::fs::read_to_string(self.path("log")).unwrap();
            let news = &log[self.seen..];
            let ends = [
                "the configuration was read again",
                "the configuration cannot be taken over",
            ];
            if news.ends_with('\n') && ends.iter().any(|end| news.contains(end)) {
                let news = news.to_owned();
                self.seen = log.len();
                return news;
            }
            assert!(began.elapsed() < PATIENCE, "no reload: {log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = reqwest::Client::new().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn connect(&self, token: &str) -> Client {
        self.try_connect(token, &[]).await.expect("it is let in")
    }

    /// Connects to the raw endpoint; the HTTP status where that is refused.
    async fn try_connect(&self, token: &str, headers: &[(&'static str, &str)]) -> Result<Client, u16> {
        let query = if token.is_empty() {
            String::new()
        } else {
            format!("?token={token}")
        };
        let url = format!("ws://{}/api/v1/ws{query}", self.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Client { socket, calls: 0 }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}

fn with_secret(config: &str) -> String {
    format!("auth.jwt_secret = \"{SECRET}\"\n{config}")
}

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u64,
}

impl Client {
    /// The next frame; none where the connection is over.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let message = timeout(PATIENCE, self.socket.next())
                .await
                .expect("something comes");
            match message {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn frame(&mut self, kind: &str) -> Value {
        let found = async {
            loop {
                let frame = self.next().await.expect("the connection lives");
                if frame["type"] == kind {
                    return frame;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("such a frame comes")
    }

    pub(crate) async fn request(&mut self, kind: &str, data: Value) -> Value {
        self.calls += 1;
        let id = format!("r{}", self.calls);
        let frame = json!({"type": kind, "data": data, "messageId": id});
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
        loop {
            let frame = self.next().await.expect("the connection lives");
            if frame["messageId"] == id {
                return frame;
            }
        }
    }

    async fn publish(&mut self, topic: &str) -> Value {
        self.request("publish", json!({"topic": topic, "payload": 1}))
            .await
    }
}

pub(crate) fn user(id: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"sub": id, "iat": now, "exp": now + 600});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

#[tokio::test]
async fn limits_change_under_connections_that_live_and_for_those_to_come() {
    let mut server =
        Server::start("[limits]\npublish_per_second = 1\npublish_burst = 1\nconnections_per_user = 5\n");
    let mut client = server.connect(&user("u")).await;
    assert_eq!(client.publish("public:a").await["type"], "ack");
    assert_eq!(client.publish("public:a").await["data"]["code"], 2002);

    let told = server
        .reload("[limits]\npublish_per_second = 0\nconnections_per_user = 1\nauthenticate_ms = 7000\n")
        .await;
    for setting in ["limits.publish_per_second", "limits.connections_per_user"] {
        assert!(told.contains(setting), "{told}");
    }
    assert!(
        told.contains("need a restart") && told.contains("limits.authenticate_ms"),
        "{told}"
    );
    for _ in 0..5 {
        assert_eq!(client.publish("public:a").await["type"], "ack");
    }
    let mut second = server.connect(&user("u")).await;
    assert_eq!(
        second.frame("closing").await["data"]["reason"],
        "connections_per_user"
    );
    assert_eq!(
        client.publish("public:a").await["type"],
        "ack",
        "who was there stays"
    );

    server
        .reload("[limits]\npublish_per_second = 1\npublish_burst = 2\n")
        .await;
    let answers = [client.publish("public:a").await, client.publish("public:a").await];
    assert!(
        answers.iter().all(|answer| answer["type"] == "ack"),
        "{answers:?}"
    );
    assert_eq!(client.publish("public:a").await["data"]["code"], 2002);
    let mut third = server.connect(&user("u")).await;
    assert_eq!(third.publish("public:a").await["type"], "ack");
}

#[tokio::test]
async fn origins_and_trusted_proxies_change_for_the_next_request() {
    let mut server = Server::start("");
    let foreign = [("origin", "https://app.example")];
    assert_eq!(server.try_connect(&user("u"), &foreign).await.err(), Some(403));
    let forwarded = [("x-forwarded-for", "203.0.113.7")];
    let mut told = server
        .reload(
            "[http]\nallowed_origins = [\"https://app.example\"]\ntrusted_proxies = [\"127.0.0.1\"]\n\
             [limits]\nconnections_per_address = 1\n",
        )
        .await;
    assert!(
        told.contains("http.allowed_origins") && told.contains("http.trusted_proxies"),
        "{told}"
    );
    let _first = server.try_connect(&user("u"), &foreign).await.unwrap();
    assert_eq!(server.try_connect(&user("u"), &[]).await.err(), Some(429));
    let _proxied = server.try_connect(&user("u"), &forwarded).await.unwrap();
    let cors = server.get("/api/v1/auth/me", &foreign).await;
    assert_eq!(
        cors.headers()["access-control-allow-origin"],
        "https://app.example"
    );
    assert_eq!(cors.headers()["access-control-allow-credentials"], "true");

    told = server.reload("[http]\nallowed_origins = [\"*\"]\n").await;
    assert!(told.contains("http.trusted_proxies"), "{told}");
    let cors = server.get("/api/v1/auth/me", &foreign).await;
    assert!(!cors.headers().contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn a_rotated_file_of_keys_holds_from_the_signal_on() {
    let dir = TempDir::new().unwrap();
    let keys = dir.path().join("keys.json");
    std::fs::write(&keys, key_sets::set(&["EdDSA"])).unwrap();
    let config = format!("auth.jwks_file = {:?}\n", keys.to_str().unwrap());
    let mut server = Server::start(&config);
    let status = async |server: &Server, name: &str| {
        let bearer = format!("Bearer {}", key_sets::token(name));
        let me = server.get("/api/v1/auth/me", &[("authorization", &bearer)]).await;
        me.status().as_u16()
    };
    assert_eq!(status(&server, "EdDSA").await, 200);
    std::fs::write(&keys, "{}").unwrap();
    let told = server.hang_up().await;
    assert!(
        told.contains("nothing has changed") && told.contains("keys.json"),
        "{told}"
    );
    assert_eq!(status(&server, "EdDSA").await, 200);

    std::fs::write(&keys, key_sets::set(&["rotated"])).unwrap();
    server.hang_up().await;
    assert_eq!(status(&server, "rotated").await, 200);
    assert_eq!(status(&server, "EdDSA").await, 401);

    let other = dir.path().join("other.json");
    std::fs::write(&other, key_sets::set(&["EdDSA"])).unwrap();
    let told = server.reload(&config.replace("keys.json", "other.json")).await;
    assert!(told.contains("auth.jwks_file"), "{told}");
    assert_eq!(status(&server, "EdDSA").await, 200);
    assert_eq!(status(&server, "rotated").await, 401);
}

#[tokio::test]
async fn a_namespace_that_closes_ends_its_subscriptions_and_a_new_one_opens() {
    let mut server = Server::start("[namespaces.old]\n");
    let mut client = server.connect(&user("u")).await;
    for topic in ["public:a", "document:d:changes"] {
        let answer = client.request("subscribe", json!({"topic": topic})).await;
        assert_eq!(answer["type"], "ack", "{answer}");
    }
    assert_eq!(client.publish("news:a").await["data"]["code"], 3000);

    let told = server
        .reload("[namespaces.public]\nsubscribe = \"admins\"\ndurability = \"memory\"\n[namespaces.news]\n")
        .await;
    assert!(
        told.contains("namespaces.public") && told.contains("namespaces.news"),
        "{told}"
    );
    let restart = told.lines().find(|line| line.contains("need a restart")).unwrap();
    assert!(
        restart.contains("namespaces.public.durability") && restart.contains("namespaces.old"),
        "{told}"
    );
    let ended = client.frame("unsubscribed").await;
    assert_eq!(ended["data"]["topic"], "public:a");
    assert_eq!(ended["data"]["code"], "permission_denied");
    let refused = client.request("subscribe", json!({"topic": "public:a"})).await;
    assert_eq!(refused["data"]["code"], 3001);
    assert_eq!(client.publish("news:a").await["type"], "ack");
    let mut other = server.connect(&user("w")).await;
    assert_eq!(other.publish("document:d:changes").await["type"], "ack");
    let message = client.frame("data").await;
    assert_eq!(message["topic"], "document:d:changes", "{message}");
}

#[tokio::test]
async fn a_shorter_history_and_a_presence_that_is_switched_off_hold_for_channels_in_use() {
    let mut server = Server::start("");
    let mut client = server.connect(&user("u")).await;
    client.request("subscribe", json!({"topic": "public:a"})).await;
    for _ in 0..5 {
        client.publish("public:a").await;
    }
    let presence = client.request("presence", json!({"topic": "public:a"})).await;
    assert_eq!(presence["data"]["count"], 1);
    server
        .reload("[namespaces.public]\nhistory_size = 2\npresence = false\n")
        .await;
    let history = client.request("history", json!({"topic": "public:a"})).await;
    assert_eq!(
        history["data"]["messages"].as_array().unwrap().len(),
        2,
        "{history}"
    );
    let presence = client.request("presence", json!({"topic": "public:a"})).await;
    assert_eq!(presence["data"]["code"], 3002);
}

#[tokio::test]
async fn guests_who_are_not_wanted_any_more_are_disconnected_and_users_stay() {
    let mut server = Server::start("auth.guests = true\n");
    let mut guest = server.connect("").await;
    guest.frame("connect").await;
    let mut user = server.connect(&user("u")).await;
    let told = server.reload("").await;
    assert!(told.contains("auth.guests"), "{told}");
    guest.frame("closing").await;
    while guest.next().await.is_some() {}
    assert_eq!(user.publish("public:a").await["type"], "ack");
    let mut late = server.connect("").await;
    assert_ne!(
        late.next().await.map(|frame| frame["type"].clone()),
        Some(json!("connect"))
    );
}

#[tokio::test]
async fn a_mistake_in_the_file_changes_nothing_and_is_named_and_counted() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let hears = || {
        let mut bytes = [0; 256];
        let length = supervisor.recv(&mut bytes).unwrap();
        text(&bytes[..length])
    };
    let open = "http.open_metrics = true\n";
    let mut server = Server::start_after("true", open, path.to_str());
    assert_eq!(hears().trim(), "READY=1");
    let mut client = server.connect(&user("u")).await;
    client.request("subscribe", json!({"topic": "public:a"})).await;
    for (mistake, named) in [
        (
            "[limits]\npublish_per_second = 1\npublish_burst = 1\n[http]\nheader_timeout_ms = 1\n",
            "http.header_timeout_ms",
        ),
        (
            "[namespaces.public]\nsubscribe = \"admins\"\n[limits]\nconections = 1\n",
            "limits.connections",
        ),
        ("limits = [\n", "line"),
    ] {
        let told = server.reload(mistake).await;
        assert!(
            told.contains(named) && told.contains("nothing has changed"),
            "{told}"
        );
        let reloading = hears();
        assert!(
            reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="),
            "{reloading}"
        );
        assert_eq!(hears().trim(), "READY=1");
        for _ in 0..3 {
            assert_eq!(client.publish("public:a").await["type"], "ack");
        }
    }
    std::fs::remove_file(server.path("bmt.toml")).unwrap();
    let told = server.hang_up().await;
    assert!(
        told.contains("bmt.toml") && told.contains("cannot be read"),
        "{told}"
    );
    server.reload(open).await;
    let metrics = server.get("/metrics", &[]).await.text().await.unwrap();
    assert!(
        metrics.contains("\nbmt_config_reload_failures_total 4"),
        "{metrics}"
    );
    assert!(metrics.contains("\nbmt_config_reloads_total 1"), "{metrics}");
}

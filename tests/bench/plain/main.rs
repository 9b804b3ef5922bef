//! A plain socketioxide server with the same behaviour as ours, without storage: what a good Rust developer would
//! write with that library. Rooms carry the fan-out, a map of counters the seqs. The yardstick of `bench fanout`.
#![expect(
    clippy::print_stdout,
    reason = "tells where it listens, as every server under load does"
)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
    role: String,
}

#[derive(Deserialize)]
struct Auth {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscribe {
    topic: String,
    #[serde(default)]
    message_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Publish {
    topic: String,
    payload: Box<RawValue>,
    #[serde(default)]
    message_id: String,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    topic: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    payload: &'a RawValue,
    timestamp: u64,
    from: &'a str,
    seq: u64,
}

struct Server {
    io: SocketIo,
    key: DecodingKey,
    seqs: Mutex<HashMap<String, u64>>,
    ids: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (layer, io) = SocketIo::builder()
        .ping_interval(Duration::from_secs(10))
        .ping_timeout(Duration::from_secs(5))
        // As much as ours holds for a connection. What does not fit is dropped, and the session with it when that is
        // a ping.
        .max_buffer_size(8_192)
        .ws_read_buffer_size(4 * 1_024)
        .build_layer();
    let secret = std::env::var("BMT_AUTH__JWT_SECRET")?;
    let server = Arc::new(Server {
        io: io.clone(),
        key: DecodingKey::from_secret(secret.as_bytes()),
        seqs: Mutex::default(),
        ids: AtomicU64::new(0),
    });
    let at_door = Arc::clone(&server);
    let check = async move |socket: SocketRef, auth: TryData<Auth>| authenticate(&at_door, &socket, auth);
    let inside = async move |socket: SocketRef| welcome(&server, &socket);
    io.ns("/", inside.with(check));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().layer(layer)).await?;
    Ok(())
}

fn authenticate(server: &Server, socket: &SocketRef, auth: TryData<Auth>) -> Result<(), String> {
    let refused = || "Authentication failed: invalid_signature".to_owned();
    let auth = auth.0.map_err(|_| refused())?;
    let token = auth.token.strip_prefix("Bearer ").unwrap_or(&auth.token);
    let claims = decode::<Claims>(token, &server.key, &Validation::default()).map_err(|_| refused())?;
    socket.extensions.insert(claims.claims);
    Ok(())
}

fn welcome(server: &Arc<Server>, socket: &SocketRef) {
    let Some(user) = socket.extensions.get::<Claims>() else {
        return;
    };
    let hello = serde_json::json!({
        "connectionId": server.id(), "timestamp": unix_ms(), "user": { "userId": user.sub },
    });
    socket.emit("connected", &hello).ok();
    let (to, who) = (Arc::clone(server), user.clone());
    socket.on(
        "subscribe",
        async move |socket: SocketRef, Data::<Subscribe>(body), ack: AckSender| {
            if !may_use(&who, &body.topic) {
                return drop(ack.send(&refusal(&body.message_id)));
            }
            socket.join(body.topic.clone());
            let count = to.io.within(body.topic.clone()).sockets().len();
            let seq = to.seq(&body.topic, 0);
            let reply = serde_json::json!({
                "type": "ack", "id": body.message_id, "status": "success", "topic": body.topic,
                "subscriberCount": count, "seq": seq,
            });
            drop(ack.send(&reply));
        },
    );
    let (to, who) = (Arc::clone(server), user);
    socket.on("publish", async move |Data::<Publish>(body), ack: AckSender| {
        if !may_use(&who, &body.topic) {
            return drop(ack.send(&refusal(&body.message_id)));
        }
        let (id, seq) = (to.id(), to.seq(&body.topic, 1));
        let message = Message {
            id: &id,
            topic: &body.topic,
            kind: "event",
            payload: &body.payload,
            timestamp: unix_ms(),
            from: &who.sub,
            seq,
        };
        // An error is a subscriber that is gone, or too slow: then the library drops the packet.
        drop(to.io.within(body.topic.clone()).emit("message", &message).await);
        let reply = serde_json::json!({
            "type": "ack", "id": body.message_id, "status": "success", "messageId": id, "topic": body.topic,
            "seq": seq,
        });
        drop(ack.send(&reply));
    });
}

impl Server {
    fn id(&self) -> String {
        format!("{:032x}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    fn seq(&self, topic: &str, more: u64) -> u64 {
        let mut seqs = self.seqs.lock().expect("no code panics while it holds the seqs");
        let seq = seqs.entry(topic.to_owned()).or_default();
        *seq += more;
        *seq
    }
}

fn may_use(user: &Claims, topic: &str) -> bool {
    user.role == "admin" || topic.starts_with("public:") || topic.starts_with(&format!("user:{}:", user.sub))
}

fn refusal(id: &str) -> serde_json::Value {
    serde_json::json!({ "type": "error", "id": id, "status": "error", "code": "permission_denied" })
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

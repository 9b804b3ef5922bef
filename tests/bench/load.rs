//! The load: subscribers that count and time what arrives, one publisher that keeps a number of publishes in
//! flight. Plain Socket.IO frames over a WebSocket, the same for both servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{EncodingKey, Header, encode};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::server::{SECRET, Server};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const TOPIC: &str = "public:bench";
/// Bytes of the published payload, as JSON.
const PAYLOAD_BYTES: usize = 128;

/// What is measured.
pub(crate) struct Load {
    pub(crate) subscribers: usize,
    pub(crate) in_flight: usize,
    pub(crate) measure: Duration,
}

/// What came out.
pub(crate) struct Outcome {
    pub(crate) deliveries_per_second: f64,
    pub(crate) deliveries_per_cpu_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) resident_mib: f64,
}

#[derive(Default)]
struct Shared {
    measuring: AtomicBool,
    stop: AtomicBool,
    deliveries: AtomicU64,
}

impl Load {
    /// Runs against a server that was just started.
    pub(crate) async fn run(&self, server: &Server) -> Result<Outcome, String> {
        let clock = Instant::now();
        let shared = Arc::new(Shared::default());
        let mut subscribers = Vec::new();
        for number in 0..self.subscribers {
            let mut socket = connect(server, &format!("s{number}")).await?;
            send(
                &mut socket,
                format!("420[\"subscribe\",{{\"topic\":\"{TOPIC}\",\"messageId\":\"s\"}}]"),
            )
            .await?;
            wait_for(&mut socket, "430[").await?;
            subscribers.push(tokio::spawn(receive(socket, clock, Arc::clone(&shared))));
        }
        let publisher = connect(server, "publisher").await?;
        let publishing = tokio::spawn(publish(publisher, self.in_flight, clock, Arc::clone(&shared)));

        tokio::time::sleep(Duration::from_secs(1)).await;
        let (cpu, began) = (server.cpu_seconds()?, Instant::now());
        shared.measuring.store(true, Ordering::Relaxed);
        tokio::time::sleep(self.measure).await;
        shared.measuring.store(false, Ordering::Relaxed);
        let (cpu, seconds) = (server.cpu_seconds()? - cpu, began.elapsed().as_secs_f64());
        let resident_mib = server.resident_mib()?;
        shared.stop.store(true, Ordering::Relaxed);

        publishing
            .await
            .map_err(|error| format!("the publisher failed: {error}"))??;
        let mut latencies = Vec::new();
        for subscriber in subscribers {
            latencies.extend(
                subscriber
                    .await
                    .map_err(|error| format!("a subscriber failed: {error}"))??,
            );
        }
        latencies.sort_unstable();
        let deliveries = shared.deliveries.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "counts of a few millions")]
        let deliveries = deliveries as f64;
        Ok(Outcome {
            deliveries_per_second: deliveries / seconds,
            deliveries_per_cpu_second: deliveries / cpu.max(0.01),
            p50_ms: percentile_ms(&latencies, 50),
            p99_ms: percentile_ms(&latencies, 99),
            resident_mib,
        })
    }
}

fn percentile_ms(sorted_us: &[u32], percent: usize) -> f64 {
    let at = (sorted_us.len().saturating_sub(1)) * percent / 100;
    sorted_us.get(at).map_or(f64::NAN, |us| f64::from(*us) / 1_000.0)
}

async fn connect(server: &Server, user: &str) -> Result<Socket, String> {
    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address);
    let (mut socket, _) = connect_async(url)
        .await
        .map_err(|error| format!("{user}: {error}"))?;
    wait_for(&mut socket, "0{").await?;
    send(
        &mut socket,
        format!("40{{\"token\":\"Bearer {}\"}}", token(user)?),
    )
    .await?;
    wait_for(&mut socket, "42[\"connected\"").await?;
    Ok(socket)
}

fn token(user: &str) -> Result<String, String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|error| error.to_string())?
        .as_secs();
    let claims =
        serde_json::json!({"sub": user, "name": user, "role": "user", "iat": now, "exp": now + 3_600});
    encode(
        &Header::default(),
        &claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .map_err(|error| error.to_string())
}

async fn send(socket: &mut Socket, text: String) -> Result<(), String> {
    socket
        .send(Message::text(text))
        .await
        .map_err(|error| format!("send: {error}"))
}

/// The next text frame that is not a ping; pings are answered.
async fn receive_text(socket: &mut Socket) -> Result<Option<String>, String> {
    loop {
        match socket.next().await {
            None => return Ok(None),
            Some(Err(error)) => return Err(format!("receive: {error}")),
            Some(Ok(Message::Text(text))) if text.as_str() == "2" => send(socket, "3".to_owned()).await?,
            Some(Ok(Message::Text(text))) => return Ok(Some(text.as_str().to_owned())),
            Some(Ok(_)) => {}
        }
    }
}

async fn wait_for(socket: &mut Socket, start: &str) -> Result<(), String> {
    loop {
        match receive_text(socket).await? {
            None => return Err(format!("closed while waiting for {start}")),
            Some(text) if text.starts_with(start) => return Ok(()),
            Some(text) if text.starts_with("44") => return Err(format!("refused: {text}")),
            Some(_) => {}
        }
    }
}

/// Counts what arrives while measuring; answers with the latencies in microseconds.
async fn receive(mut socket: Socket, clock: Instant, shared: Arc<Shared>) -> Result<Vec<u32>, String> {
    let mut latencies = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        // The publisher stops by the same flag, so a socket may be silent when it is set.
        let Ok(received) = tokio::time::timeout(Duration::from_millis(200), receive_text(&mut socket)).await
        else {
            continue;
        };
        let Some(text) = received? else { break };
        if !text.starts_with("42[\"message\"") || !shared.measuring.load(Ordering::Relaxed) {
            continue;
        }
        shared.deliveries.fetch_add(1, Ordering::Relaxed);
        if let Some(sent_us) = sent_at(&text) {
            let now_us = u64::try_from(clock.elapsed().as_micros()).unwrap_or(u64::MAX);
            latencies.push(u32::try_from(now_us.saturating_sub(sent_us)).unwrap_or(u32::MAX));
        }
    }
    Ok(latencies)
}

fn sent_at(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("\"us\":")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Keeps `in_flight` publishes unanswered until told to stop.
async fn publish(
    mut socket: Socket,
    in_flight: usize,
    clock: Instant,
    shared: Arc<Shared>,
) -> Result<(), String> {
    let mut number = 0_u64;
    let mut unanswered = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        while unanswered < in_flight {
            number += 1;
            unanswered += 1;
            let head = format!("{{\"us\":{},\"pad\":\"", clock.elapsed().as_micros());
            let pad = "x".repeat(PAYLOAD_BYTES - head.len() - 2);
            // Ack ids from 10 on: `431…` never reads as the answer to `430`.
            let id = number + 10;
            send(
                &mut socket,
                format!(
                    "42{id}[\"publish\",{{\"topic\":\"{TOPIC}\",\"payload\":{head}{pad}\"}},\"messageId\":\"m{number}\"}}]"
                ),
            )
            .await?;
        }
        match receive_text(&mut socket).await? {
            None => return Err("the publisher's connection was closed".to_owned()),
            Some(text) if text.starts_with("43") && text.contains("\"success\"") => unanswered -= 1,
            Some(text) if text.starts_with("43") => return Err(format!("a publish was refused: {text}")),
            Some(_) => {}
        }
    }
    Ok(())
}

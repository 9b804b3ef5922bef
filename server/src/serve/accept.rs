//! Taking connections in: HTTP/1.1 with time limits, one task each, upgrades included.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bmt_server_core::session::TokenBucket;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::stream::Accepted;
use super::tls::{Greeted, Tls};
use crate::config::Config;
use crate::node::Node;
use crate::shutdown::Shutdown;
use crate::socket::Socket;

/// Places beyond `limits.connections`, for requests that are no connections: logins, pages, health.
const SPARE_PLACES: u64 = 1_000;
/// Places where no limit is configured; files run out long before.
const PLACES_MAX: usize = 4_000_000;
/// Bytes of one request's headers; hyper answers 431 above.
const HEADER_BYTES: usize = 32 * 1_024;
/// Header lines of one request; hyper answers 431 above.
const HEADER_LINES: usize = 100;
/// How long to wait when the process has no file left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long somebody who is turned away may take to hear it.
const TURN_AWAY_LIMIT: Duration = Duration::from_secs(1);
/// Before asking a silent peer for a sign of life, and between asking.
const KEEPALIVE: Duration = Duration::from_secs(30);

const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\
Content-Type: application/json\r\nContent-Length: 172\r\n\r\n\
{\"type\":\"error\",\"status\":\"error\",\"code\":\"connect_error\",\"error\":\"The server is full. Try again later.\",\
\"message\":\"The server is full. Try again later.\",\"retryAfterMs\":5000}";

/// The places of accepted connections.
pub(super) struct Places {
    free: Arc<Semaphore>,
}

impl Places {
    fn new() -> Self {
        Self {
            free: Arc::new(Semaphore::new(PLACES_MAX)),
        }
    }

    /// Takes a place where fewer than so many are taken.
    fn take(&self, most: usize) -> Option<OwnedSemaphorePermit> {
        if PLACES_MAX - self.free.available_permits() >= most {
            return None;
        }
        self.free.clone().try_acquire_owned().ok()
    }

    /// Waits until every accepted connection is gone; false if some are still there at the deadline.
    pub(super) async fn all_free(&self, deadline: Instant) -> bool {
        let all = u32::try_from(PLACES_MAX).expect("a few millions");
        timeout_at(deadline, self.free.acquire_many(all)).await.is_ok()
    }
}

/// How many connections are taken in at once.
fn most_places(config: &Config) -> usize {
    match config.limits.connections {
        0 => PLACES_MAX,
        limit => usize::try_from(limit.saturating_add(SPARE_PLACES)).unwrap_or(PLACES_MAX),
    }
}

/// How fast connections are taken in: those that live go on being served while a crowd comes.
struct Pace {
    bucket: TokenBucket,
    began: Instant,
}

impl Pace {
    fn new(config: &Config) -> Self {
        let per_second = config.limits.accepts_per_second;
        Self {
            bucket: TokenBucket::new(per_second, per_second.saturating_mul(2), 0),
            began: Instant::now(),
        }
    }

    /// Waits until one more may come.
    async fn wait(&mut self) {
        let now_ms = |began: Instant| u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        while let Err(wait_ms) = self.bucket.take(now_ms(self.began)) {
            sleep(Duration::from_millis(wait_ms)).await;
        }
    }
}

/// Takes connections in until the end begins. Then requests that are under way are finished and idle connections
/// closed; upgraded ones end by their own owner's doing.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    router: Router,
    node: &Arc<Node>,
) -> Places {
    let places = Places::new();
    let (stall_limit, header_limit) = {
        let config = &node.current().config;
        let (heartbeat, http) = (&config.heartbeat, &config.http);
        (
            Duration::from_millis(heartbeat.interval_ms + heartbeat.timeout_ms),
            Duration::from_millis(http.header_timeout_ms),
        )
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(header_limit)
        .max_headers(HEADER_LINES)
        .max_header_size(HEADER_BYTES);
    let mut pace = Pace::new(&node.current().config);
    let server = Arc::new(Server {
        http,
        tls,
        handshake_limit: header_limit,
        shutdown: node.shutdown.clone(),
    });
    loop {
        tokio::select! {
            biased;
            () = node.shutdown.begun() => break,
            () = pace.wait() => {}
        }
        let accepted = tokio::select! {
            biased;
            () = node.shutdown.begun() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // A peer that gave up costs nothing; for all else there is nothing to do but to wait.
                if !is_peers(&error) {
                    warn!(%error, "a connection cannot be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
                continue;
            }
        };
        let Some(place) = places.take(most_places(&node.current().config)) else {
            node.shutdown.spawn(timeout(TURN_AWAY_LIMIT, turn_away(stream)));
            continue;
        };
        if let Err(error) = prepare(&stream, stall_limit) {
            debug!(%error, %peer, "a connection's options cannot be set");
        }
        let stream = Accepted::new(stream, place, stall_limit);
        // What TLS makes of the bytes, only its own task can say.
        let socket = server.tls.is_none().then(|| stream.socket());
        let service = service_for(router.clone(), peer, socket);
        node.shutdown.spawn(server.clone().receive(stream, service, peer));
    }
    places
}

/// What every connection is served with.
struct Server {
    http: http1::Builder,
    tls: Option<Arc<Tls>>,
    /// How long a TLS handshake may take: as long as the headers of a request.
    handshake_limit: Duration,
    shutdown: Shutdown,
}

impl Server {
    async fn receive(self: Arc<Self>, stream: Accepted, service: impl HttpService, peer: SocketAddr) {
        let Some(tls) = &self.tls else {
            return self.serve(stream, service, peer).await;
        };
        let greeted = tokio::select! {
            greeted = Box::pin(tls.greet(stream, self.handshake_limit)) => greeted,
            () = self.shutdown.begun() => return,
        };
        match greeted {
            Ok(Greeted::Secured(stream)) => self.serve(stream, service, peer).await,
            Ok(Greeted::Over) => {}
            Err(error) => debug!(%error, %peer, "a handshake failed"),
        }
    }

    /// Answers requests until the connection is over, or until those under way are answered after the end began.
    async fn serve<S>(&self, stream: S, service: impl HttpService, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = self
            .http
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.begun() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, %peer, "a connection ended");
        }
    }
}

/// What answers requests.
trait HttpService:
    hyper::service::Service<
        hyper::Request<Incoming>,
        Response = axum::response::Response,
        Error = std::convert::Infallible,
        Future: Send + 'static,
    > + Send
    + 'static
{
}

impl<S> HttpService for S where
    S: hyper::service::Service<
            hyper::Request<Incoming>,
            Response = axum::response::Response,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        > + Send
        + 'static
{
}

fn service_for(router: Router, peer: SocketAddr, socket: Option<Socket>) -> impl HttpService {
    service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(socket) = &socket {
            request.extensions_mut().insert(socket.clone());
        }
        router.clone().oneshot(request)
    })
}

/// Small frames go out at once, and a peer that takes nothing or is gone is noticed by the kernel too.
fn prepare(stream: &TcpStream, stall_limit: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(stall_limit))?;
    Ok(())
}

fn is_peers(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

async fn turn_away(mut stream: TcpStream) {
    // Whoever does not listen has gone already.
    let _ = stream.write_all(TURNED_AWAY).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_those_turned_away_is_as_long_as_it_says() {
        let text = std::str::from_utf8(TURNED_AWAY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.ends_with(&format!("Content-Length: {}", body.len())),
            "{}",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], "connect_error");
    }
}

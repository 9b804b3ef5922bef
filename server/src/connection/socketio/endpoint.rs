//! The HTTP side of Socket.IO: which requests reach the library, and with what time limits.

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bmt_shared::codec::engineio::Handshake;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use socketioxide::service::SocketIoService;
use socketioxide::{ParserConfig, SocketIo};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tower::ServiceExt;

use super::super::arrival::Arrival;
use super::super::handshake::{Denied, accept, asks_for_upgrade, switching};
use super::super::{Context, metadata};
use super::connect::{self, NAMESPACE};
use super::frames;
use super::query::{Asked, Query, Refused, Unserved, Way};
use super::stream::GuardedStream;
use super::transport::{PACKETS_BUFFERED, Sessions, Transport};
use crate::socket::Socket;

/// Where the library looks for its requests.
const PATH: &str = "/socket.io";
/// The first frame of an upgrade, a masked `2probe`, is shorter; what follows is read by the library.
const PROBE_BYTES: usize = 64;
/// An Engine.IO packet that says nothing.
const NOOP: &[u8] = b"6";
/// Read buffer of each WebSocket, bytes: most requests fit, and an idle connection holds no more.
const READ_BUFFER: usize = 2 * 1_024;

/// See the [module](self).
pub(in super::super) struct Endpoint {
    pub(in super::super) context: Arc<Context>,
    service: SocketIoService<Router>,
    io: SocketIo,
    sessions: Sessions,
    /// How long the body of a POST, an upgrade, or the parts of a packet may take.
    unfinished: Duration,
}

impl Endpoint {
    /// Sets the library up with every limit it has.
    pub(in super::super) fn new(context: &Arc<Context>) -> Arc<Self> {
        let settings = &context.settings;
        let unfinished = Duration::from_millis(settings.authenticate_ms);
        let frame_bytes = match settings.frame_bytes {
            0 => usize::MAX,
            bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
        };
        let parser = ParserConfig::common()
            .max_incoming_binaries(settings.attachments)
            .max_incoming_binary_buf_size(frame_bytes)
            .packet_completion_timeout(unfinished);
        let (service, io) = SocketIo::builder()
            .req_path(PATH)
            .ping_interval(Duration::from_millis(settings.heartbeat.interval_ms))
            .ping_timeout(Duration::from_millis(settings.heartbeat.timeout_ms))
            .upgrade_timeout(unfinished)
            .connect_timeout(unfinished)
            .max_buffer_size(PACKETS_BUFFERED)
            .max_payload(frame_bytes as u64)
            .ws_read_buffer_size(READ_BUFFER)
            .ws_max_message_size(frame_bytes)
            .ws_max_frame_size(frame_bytes)
            .with_parser(parser)
            .build_with_inner_svc(Router::new());
        let endpoint = Arc::new(Self {
            context: context.clone(),
            service,
            io,
            sessions: Sessions::default(),
            unfinished,
        });
        connect::serve(&endpoint.io, &endpoint);
        endpoint
    }

    /// Answers one request to `/socket.io/`.
    pub(in super::super) async fn handle(self: Arc<Self>, address: IpAddr, request: Request) -> Response {
        match self.clone().dispatch(address, request).await {
            Ok(response) => response,
            Err(unserved) => {
                if let Unserved::Denied(Denied::Full(full)) = &unserved {
                    let (reason, status) = full.told();
                    self.context.deny(address, reason, status);
                }
                unserved.into_response()
            }
        }
    }

    async fn dispatch(self: Arc<Self>, address: IpAddr, mut request: Request) -> Result<Response, Unserved> {
        let text = request.uri().query().unwrap_or_default();
        let query = self.read(&request, text)?;
        metadata::admit("the query", text.len(), self.context.settings.metadata_bytes)?;
        let seat = || self.context.live.seat(address);
        match (query.way, query.sid) {
            (Way::Polling, None) => {
                let transport = Transport::new(&self.sessions, seat()?, false);
                let arrival = Arrival::polling(address, request.headers());
                request.extensions_mut().insert(arrival);
                Ok(self.open_polling(&transport, request).await)
            }
            (Way::Polling, Some(sid)) => {
                let transport = self.session(sid)?;
                Ok(self.poll(transport, request).await)
            }
            (Way::WebSocket, None) => {
                let transport = Transport::new(&self.sessions, seat()?, true);
                let arrival = Arrival::websocket(address, request.headers());
                request.extensions_mut().insert(arrival);
                self.open_websocket(transport, false, request)
            }
            (Way::WebSocket, Some(sid)) => {
                let transport = self.session(sid)?;
                self.open_websocket(transport, true, request)
            }
        }
    }

    fn read<'a>(&self, request: &Request, text: &'a str) -> Result<Query<'a>, Refused> {
        let asked = Asked {
            method: request.method(),
            upgrades: asks_for_upgrade(request.headers()),
            knows: &|sid| self.sessions.get(sid).is_some(),
        };
        Query::parse(&asked, text)
    }

    fn session(&self, sid: &str) -> Result<Arc<Transport>, Refused> {
        self.sessions.get(sid).ok_or(Refused::UnknownSession)
    }

    async fn open_polling(&self, transport: &Arc<Transport>, mut request: Request) -> Response {
        request.extensions_mut().insert(transport.clone());
        let response = self.call(request).await;
        let (parts, body) = response.into_parts();
        let body = collect(body).await;
        // `0` and the handshake: the only place where the library tells the session's id.
        let sid = std::str::from_utf8(&body).ok().and_then(|text| {
            let handshake = Handshake::decode(text.strip_prefix('0')?).ok()?;
            Some(handshake.sid.into_owned())
        });
        if let Some(sid) = sid {
            transport.name(&sid);
        }
        Response::from_parts(parts, Body::from(body))
    }

    async fn poll(self: Arc<Self>, transport: Arc<Transport>, request: Request) -> Response {
        transport.note_traffic();
        if request.method() == Method::GET {
            let abandoned = Abandoned::new(&self, &transport);
            let (mut parts, body) = self.call(request).await.into_parts();
            let mut body = collect(body).await;
            abandoned.settle();
            transport.note_traffic();
            if parts.status.is_success() && body.is_empty() {
                // The session ended while its poll waited. Nothing is no payload, and a client that trips over it
                // does not hear why from the answer to its POST.
                body = Bytes::from_static(NOOP);
                parts.headers.insert(header::CONTENT_LENGTH, NOOP.len().into());
            }
            transport.pass(frames::polled(&body));
            transport.drain();
            if transport.is_ended() && !transport.is_on_websocket() {
                self.post_close(&transport).await;
            }
            return Response::from_parts(parts, Body::from(body));
        }
        match tokio::time::timeout(self.unfinished, self.call(request)).await {
            Ok(response) => {
                // Before the answer there is no further post.
                if let Some(pause) = transport.pause() {
                    tokio::time::sleep(pause).await;
                }
                response
            }
            Err(_) => {
                self.post_close(&transport).await;
                let close = HeaderValue::from_static("close");
                (StatusCode::REQUEST_TIMEOUT, [(header::CONNECTION, close)]).into_response()
            }
        }
    }

    /// Answers the handshake and serves the stream when the connection is turned over.
    fn open_websocket(
        self: Arc<Self>,
        transport: Arc<Transport>,
        upgrades: bool,
        mut request: Request,
    ) -> Result<Response, Unserved> {
        let accept = accept(request.method(), request.version(), request.headers())?;
        if upgrades && !transport.begin_upgrade() {
            return Err(Refused::BadRequest.into());
        }
        let turned_over = hyper::upgrade::on(&mut request);
        if let Some(socket) = request.extensions_mut().remove::<Socket>() {
            transport.outlet().open(&transport, socket);
        }
        let uri = request.uri().clone();
        if upgrades {
            let transport = Arc::downgrade(&transport);
            tokio::spawn(self.upgrade(turned_over, transport, uri));
        } else {
            let arrival = request.extensions_mut().remove::<Arc<Arrival>>();
            tokio::spawn(async move {
                if let Ok(Ok(upgraded)) = tokio::time::timeout(self.unfinished, turned_over).await {
                    let stream = TokioIo::new(upgraded);
                    self.serve(stream, &[], &transport, uri, arrival).await;
                }
            });
        }
        Ok(switching(accept, None))
    }

    /// Serves the WebSocket that a polling session is to go on with, once the client has spoken on it. Behind some
    /// proxies it is accepted and nothing passes: such a session stays on polling. (From the moment in which the
    /// library knows of the WebSocket it answers polls with nothing, and knows no way back.)
    async fn upgrade(self: Arc<Self>, turned_over: OnUpgrade, transport: Weak<Transport>, uri: Uri) {
        let spoken = async {
            let mut stream = TokioIo::new(turned_over.await.ok()?);
            let mut head = [0; PROBE_BYTES];
            let bytes = stream.read(&mut head).await.ok().filter(|bytes| *bytes > 0)?;
            Some((stream, head[..bytes].to_vec()))
        };
        let spoken = tokio::time::timeout(self.unfinished, spoken).await;
        let Some(transport) = transport.upgrade() else {
            return;
        };
        let Ok(Some((stream, head))) = spoken else {
            return transport.give_up_upgrade();
        };
        transport.enter_websocket();
        if let Some(connection) = transport.carried() {
            connection.arrival.upgrade();
        }
        let gone = self.serve(stream, &head, &transport, uri, None).await;
        // An upgrade that fails now leaves the session on polling, closed to further upgrades, its heartbeat paused.
        // One that succeeds is not on polling any more, and does not mind.
        gone.await.ok();
        self.post_close(&transport).await;
    }

    /// Hands a WebSocket to the library, which serves it in a task of its own; `head` was read from it already. The
    /// answer is told when it is gone. `arrival` is that of a session that begins with it.
    async fn serve(
        &self,
        stream: TokioIo<Upgraded>,
        head: &[u8],
        transport: &Arc<Transport>,
        uri: Uri,
        arrival: Option<Arc<Arrival>>,
    ) -> oneshot::Receiver<()> {
        // Only the query is kept: headers hold cookies and tokens, and would stay as long as the session.
        let mut opening = Request::new(());
        *opening.uri_mut() = uri;
        opening.extensions_mut().insert(transport.clone());
        if let Some(arrival) = arrival {
            opening.extensions_mut().insert(arrival);
        }
        let (stream, gone) = GuardedStream::new(stream, head, transport.clone());
        self.service.clone().oneshot((stream, opening)).await.ok();
        gone
    }

    /// Closes one session without a DISCONNECT, so that an official client comes back. What was handed to the
    /// library before is given `farewell` to reach the client.
    pub(super) async fn close_session(&self, transport: &Transport, farewell: Duration) {
        // First what was said, then the end: the library, told of both at once, may see the end first.
        let fetched = async {
            while !transport.is_drained() {
                transport.drained().await;
            }
        };
        tokio::time::timeout(farewell, fetched).await.ok();
        transport.end();
        if !transport.is_on_websocket() {
            self.post_close(transport).await;
        }
    }

    /// Posts an Engine.IO CLOSE in the client's name: the library's only way to close a polling session.
    async fn post_close(&self, transport: &Transport) {
        let Some(sid) = transport.sid() else { return };
        let request = Request::post(format!("{PATH}/?EIO=4&transport=polling&sid={sid}"))
            .body(Body::from("1"))
            .expect("a session's id is made of base64 digits");
        self.call(request).await;
        if !transport.is_on_websocket() {
            transport.leave();
        }
    }

    /// Ends every connection that is left and lets go of the library, which holds this endpoint as its handler.
    ///
    /// The library's own close waits for every transport to write what waits, for as long as that takes; this
    /// waits for nothing. The streams end with the process.
    pub(in super::super) fn stop(&self) {
        self.io.delete_ns(NAMESPACE);
    }

    async fn call(&self, request: Request) -> Response {
        let response = match self.service.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        response.map(Body::new)
    }
}

/// Ends a polling session whose client hangs up while its poll waits: it reads no answer any more, and the library
/// would go on handing packets to such polls until the heartbeat has run out.
struct Abandoned(Option<(Arc<Endpoint>, Arc<Transport>)>);

impl Abandoned {
    fn new(endpoint: &Arc<Endpoint>, transport: &Arc<Transport>) -> Self {
        Self(Some((endpoint.clone(), transport.clone())))
    }

    /// There is an answer to the poll.
    fn settle(mut self) {
        self.0 = None;
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the session with it.
        if let (Some((endpoint, transport)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move { endpoint.post_close(&transport).await });
        }
    }
}

/// Bodies of the library are whole in memory.
async fn collect(body: Body) -> Bytes {
    body.collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default()
}

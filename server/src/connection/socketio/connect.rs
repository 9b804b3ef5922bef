//! A client's CONNECT: who is it, may it come in, and what is ready before it is told so.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bmt_shared::error::{AuthReason, Failure};
use serde::Deserialize;
use socketioxide::SocketIo;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::{ConnectHandler, FromConnectParts, Value};
use socketioxide::socket::{DisconnectReason, Socket};

use super::super::arrival::Arrival;
use super::super::{Connection, Context, metadata};
use super::endpoint::Endpoint;
use super::intake::Intake;
use super::transport::Transport;
use super::writer::Writer;
use crate::auth::Identity;

/// How long a session that was closed may take to be gone, before its CONNECT is answered into the void.
const GONE: Duration = Duration::from_secs(2);

/// The only namespace there is.
pub(super) const NAMESPACE: &str = "/";

/// What a client sends with its CONNECT.
#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    token: Option<String>,
    /// A single-use ticket, where there is no token.
    #[serde(default)]
    ticket: Option<String>,
}

impl Credentials {
    fn bytes(&self) -> usize {
        let texts = [&self.token, &self.ticket].into_iter().flatten();
        texts.map(String::len).sum()
    }
}

/// How long the data of the CONNECT packet is, bytes.
struct AuthBytes(usize);

impl FromConnectParts<LocalAdapter> for AuthBytes {
    type Error = std::convert::Infallible;

    fn from_connect_parts(_: &Arc<Socket>, auth: &Option<Value>) -> Result<Self, Self::Error> {
        Ok(Self(match auth {
            Some(Value::Str(text, _)) => text.len(),
            Some(Value::Bytes(bytes)) => bytes.len(),
            None => 0,
        }))
    }
}

/// Why a CONNECT is answered with CONNECT_ERROR.
enum Refused {
    Token(AuthReason),
    Metadata(Failure),
}

impl From<AuthReason> for Refused {
    fn from(reason: AuthReason) -> Self {
        Self::Token(reason)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(reason) => reason.fmt(f),
            Self::Metadata(failure) => failure.fmt(f),
        }
    }
}

/// The library's socket itself; its own extractor hides it behind a type that acks cannot be sent through.
struct Peer(Arc<Socket>);

impl FromConnectParts<LocalAdapter> for Peer {
    type Error = std::convert::Infallible;

    fn from_connect_parts(socket: &Arc<Socket>, _: &Option<Value>) -> Result<Self, Self::Error> {
        Ok(Self(socket.clone()))
    }
}

/// Serves [`NAMESPACE`].
pub(super) fn serve(io: &SocketIo, endpoint: &Arc<Endpoint>) {
    let at_door = endpoint.clone();
    let authenticate =
        async move |socket: SocketRef, sent: AuthBytes, credentials: TryData<Option<Credentials>>| {
            admit(&at_door, &socket, &sent, credentials.0).await
        };
    let inside = endpoint.clone();
    let welcome = async move |Peer(socket): Peer| welcome(inside, socket).await;
    io.ns(NAMESPACE, welcome.with(authenticate));
}

/// Runs before CONNECT is answered. A client sends its first events when it has the answer, so everything that
/// takes them is in place by then.
async fn admit<E>(
    endpoint: &Arc<Endpoint>,
    socket: &SocketRef,
    sent: &AuthBytes,
    credentials: Result<Option<Credentials>, E>,
) -> Result<(), Refused> {
    let context = &endpoint.context;
    let parts = &socket.req_parts().extensions;
    let arrival = parts.get::<Arc<Arrival>>().ok_or(AuthReason::Missing)?.clone();
    let secret = credentials
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .map_or(0, Credentials::bytes);
    metadata::admit(
        "`auth`",
        sent.0.saturating_sub(secret),
        context.settings.metadata_bytes,
    )
    .map_err(Refused::Metadata)?;
    let identity = match identify(context, credentials).await {
        Ok(Some(identity)) => identity,
        Ok(None) => return Err(send_away(endpoint, socket).await.into()),
        Err(reason) => {
            context.turn_away(&arrival, reason);
            return Err(reason.into());
        }
    };
    let connection = Connection::begin(context, identity, arrival);
    let transport = transport_of(socket).ok_or(AuthReason::Missing)?;
    transport.carry(connection.clone());
    if transport.is_on_websocket() {
        // The upgrade came before the CONNECT.
        connection.arrival.upgrade();
    }
    socket.on_fallback(Intake(connection.clone()));
    socket.on_disconnect(async move |reason: DisconnectReason| match reason {
        DisconnectReason::HeartbeatTimeout => connection.lapse(),
        _ => connection.end(),
    });
    Ok(())
}

/// Answers none where nobody can tell as yet, for want of keys.
async fn identify<E>(
    context: &Context,
    credentials: Result<Option<Credentials>, E>,
) -> Result<Option<Identity>, AuthReason> {
    let credentials = credentials.map_err(|_| AuthReason::Malformed)?;
    let (token, ticket) = credentials.map_or((None, None), |sent| (sent.token, sent.ticket));
    let authenticator = &context.node.authenticator;
    if let Some(ticket) = ticket.filter(|_| token.is_none()) {
        return authenticator.redeem(&ticket, context.now_ms()).map(Some);
    }
    match authenticator.admit(token.as_deref(), context.now_ms()).await {
        Err(_) if authenticator.cannot_judge(token.as_deref()) => Ok(None),
        admitted => admitted.map(Some),
    }
}

/// Closes the transport of a client that may be welcome later: an answer to its CONNECT would keep an official
/// client away for good (SPEC §5.6). Answers with what is said to nobody.
async fn send_away(endpoint: &Arc<Endpoint>, socket: &SocketRef) -> AuthReason {
    if let Some(transport) = transport_of(socket) {
        let endpoint = endpoint.clone();
        // Apart from this task: the session may wait for it.
        tokio::spawn(async move { endpoint.close_session(&transport, Duration::ZERO).await });
        tokio::time::sleep(GONE).await;
    }
    AuthReason::InvalidSignature
}

/// Runs when CONNECT is answered: from here on the outbox is written.
async fn welcome(endpoint: Arc<Endpoint>, socket: Arc<Socket>) {
    let Some(transport) = transport_of(&socket) else {
        return;
    };
    let Some(connection) = transport.carried() else {
        return;
    };
    let writer = Writer {
        endpoint,
        connection,
        transport,
        socket,
    };
    writer.run().await;
}

fn transport_of(socket: &Socket) -> Option<Arc<Transport>> {
    socket.req_parts().extensions.get::<Arc<Transport>>().cloned()
}

//! The opening handshake of a WebSocket, checked before anything is answered (RFC 6455 §4.2).

use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use bmt_shared::error::{ErrorCode, Failure};
use tungstenite::handshake::derive_accept_key;

use super::Full;

/// Why a request opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWebSocket {
    /// It does not ask for one, or not in the version there is.
    NotAsked,
    /// It asks, and breaks the rules.
    Broken,
}

/// Why a request opens no connection.
#[derive(Debug)]
pub(super) enum Denied {
    /// The handshake itself is wrong.
    Handshake(NoWebSocket),
    /// There is no place.
    Full(Full),
    /// What it asks for is not there.
    Asked(Failure),
}

impl From<NoWebSocket> for Denied {
    fn from(wrong: NoWebSocket) -> Self {
        Self::Handshake(wrong)
    }
}

impl From<Full> for Denied {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

impl From<Failure> for Denied {
    fn from(failure: Failure) -> Self {
        Self::Asked(failure)
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::Handshake(wrong) => wrong.into_response(),
            Self::Full(full) => full.response(),
            Self::Asked(failure) => refusal(StatusCode::BAD_REQUEST, &failure),
        }
    }
}

/// Whether a request is to become something else than HTTP, whatever that is (RFC 9110 §7.8).
pub(super) fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && lists(headers, &CONNECTION, "upgrade")
}

/// What the server answers to a handshake that keeps the rules: `Sec-WebSocket-Accept`.
///
/// # Errors
/// When the request asks for no WebSocket, or breaks the rules.
pub fn accept(method: &Method, version: Version, headers: &HeaderMap) -> Result<HeaderValue, NoWebSocket> {
    if method != Method::GET || version < Version::HTTP_11 {
        return Err(NoWebSocket::Broken);
    }
    if !lists(headers, &UPGRADE, "websocket") || !lists(headers, &CONNECTION, "upgrade") {
        return Err(NoWebSocket::NotAsked);
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(NoWebSocket::NotAsked);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(NoWebSocket::Broken)?;
    if !is_key(key.as_bytes()) {
        return Err(NoWebSocket::Broken);
    }
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| NoWebSocket::Broken)
}

/// The response that turns the connection over. `protocol` is the subprotocol chosen, if any. No extension is ever
/// chosen, whatever the client offers.
#[must_use]
pub fn switching(accept: HeaderValue, protocol: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        headers.insert(axum::http::header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

impl IntoResponse for NoWebSocket {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NotAsked => (
                StatusCode::UPGRADE_REQUIRED,
                "this address speaks WebSocket, version 13; connect with a WebSocket client",
            ),
            Self::Broken => (
                StatusCode::BAD_REQUEST,
                "this is no valid WebSocket handshake (RFC 6455 §4.2); check the proxy between",
            ),
        };
        let failure = Failure::new(ErrorCode::InvalidProtocol, message);
        let mut response = refusal(status, &failure);
        if self == Self::NotAsked {
            let headers = response.headers_mut();
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

/// An HTTP response that carries a failure in the shape of SPEC §4.
pub(super) fn refusal(status: StatusCode, failure: &Failure) -> Response {
    let mut body = String::new();
    failure.write_socketio(None, &mut body);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        axum::http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(ms) = failure.retry_after_ms {
        headers.insert(axum::http::header::RETRY_AFTER, ms.div_ceil(1_000).into());
    }
    response
}

fn lists(headers: &HeaderMap, name: &axum::http::HeaderName, word: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value.to_str().is_ok_and(|value| {
            value
                .split(',')
                .any(|item| item.trim().eq_ignore_ascii_case(word))
        })
    })
}

/// 16 bytes in base64: 22 characters and two for padding.
fn is_key(key: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key[..22].iter().all(digit) && &key[22..] == b"=="
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(changes: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for &(name, value) in changes {
            if value.is_empty() {
                headers.remove(name);
            } else {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        headers
    }

    fn check(method: &Method, changes: &[(&'static str, &'static str)]) -> Result<HeaderValue, NoWebSocket> {
        accept(method, Version::HTTP_11, &headers(changes))
    }

    #[test]
    fn the_sample_of_the_rfc_is_accepted() {
        assert_eq!(
            check(&Method::GET, &[]).unwrap(),
            HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
    }

    #[test]
    fn bad_handshakes_are_told_apart() {
        for (changes, refused) in [
            ([("upgrade", "foo")], NoWebSocket::NotAsked),
            ([("connection", "close")], NoWebSocket::NotAsked),
            ([("sec-websocket-version", "8")], NoWebSocket::NotAsked),
            ([("sec-websocket-key", "")], NoWebSocket::Broken),
            ([("sec-websocket-key", "short")], NoWebSocket::Broken),
        ] {
            assert_eq!(check(&Method::GET, &changes).unwrap_err(), refused, "{changes:?}");
        }
        assert_eq!(check(&Method::POST, &[]).unwrap_err(), NoWebSocket::Broken);
    }
}

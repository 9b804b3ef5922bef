//! What a Socket.IO request asks for, and the refusals of Engine.IO's protocol.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bmt_shared::error::Failure;

use super::super::Full;
use super::super::handshake::{Denied, NoWebSocket};

/// A request that Engine.IO refuses, by the numbers of its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    UnknownTransport = 0,
    UnknownSession = 1,
    BadMethod = 2,
    BadRequest = 3,
    Forbidden = 4,
    UnsupportedVersion = 5,
}

impl Refused {
    fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSession => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = format!("{{\"code\":{},\"message\":\"{}\"}}", self as u8, self.message());
        let json = HeaderValue::from_static("application/json");
        (status, [(header::CONTENT_TYPE, json)], body).into_response()
    }
}

/// Why a Socket.IO request is not served.
#[derive(Debug)]
pub(super) enum Unserved {
    /// By Engine.IO's protocol.
    Protocol(Refused),
    /// As on every endpoint.
    Denied(Denied),
}

impl From<Refused> for Unserved {
    fn from(refused: Refused) -> Self {
        Self::Protocol(refused)
    }
}

impl From<Failure> for Unserved {
    fn from(failure: Failure) -> Self {
        Self::Denied(failure.into())
    }
}

impl From<Full> for Unserved {
    fn from(full: Full) -> Self {
        Self::Denied(full.into())
    }
}

impl From<NoWebSocket> for Unserved {
    fn from(wrong: NoWebSocket) -> Self {
        Self::Denied(wrong.into())
    }
}

impl IntoResponse for Unserved {
    fn into_response(self) -> Response {
        match self {
            Self::Protocol(refused) => refused.into_response(),
            Self::Denied(denied) => denied.into_response(),
        }
    }
}

/// How the bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Polling,
    WebSocket,
}

/// The query of a Socket.IO request, known to be what Engine.IO 4 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    pub(super) way: Way,
    /// The session it belongs to; `None` opens a new one.
    pub(super) sid: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Reads a query. A parameter that comes twice is refused: two readers could take different ones.
    pub(super) fn parse(method: &Method, query: &'a str) -> Result<Self, Refused> {
        let (mut version, mut way, mut sid) = (None, None, None);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let (slot, twice) = match name {
                "EIO" => (&mut version, Refused::UnsupportedVersion),
                "transport" => (&mut way, Refused::UnknownTransport),
                "sid" => (&mut sid, Refused::UnknownSession),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(twice);
            }
        }
        let way = match way {
            Some("polling") => Way::Polling,
            Some("websocket") => Way::WebSocket,
            _ => return Err(Refused::UnknownTransport),
        };
        if version != Some("4") {
            return Err(Refused::UnsupportedVersion);
        }
        match (method, way) {
            (&Method::GET, _) => {}
            (&Method::POST, Way::Polling) if sid.is_some() => {}
            _ => return Err(Refused::BadMethod),
        }
        Ok(Self { way, sid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query<'_>, Refused> {
        Query::parse(&Method::GET, query)
    }

    #[test]
    fn requests_of_the_protocol_are_read() {
        assert_eq!(
            parse("EIO=4&transport=polling&t=x"),
            Ok(Query {
                way: Way::Polling,
                sid: None
            })
        );
        assert_eq!(
            parse("sid=ab&EIO=4&transport=websocket"),
            Ok(Query {
                way: Way::WebSocket,
                sid: Some("ab")
            })
        );
    }

    #[test]
    fn everything_else_is_refused_by_its_number() {
        for (query, refused) in [
            ("", Refused::UnknownTransport),
            ("EIO=4", Refused::UnknownTransport),
            ("EIO=4&transport=__proto__", Refused::UnknownTransport),
            ("EIO=4&transport=webtransport", Refused::UnknownTransport),
            ("EIO=3&transport=polling", Refused::UnsupportedVersion),
            ("EIO=4&EIO=3&transport=polling", Refused::UnsupportedVersion),
            ("EIO=4&transport=polling&sid=a&sid=b", Refused::UnknownSession),
        ] {
            assert_eq!(parse(query), Err(refused), "{query}");
        }
        assert_eq!(
            Query::parse(&Method::POST, "EIO=4&transport=polling"),
            Err(Refused::BadMethod)
        );
    }
}

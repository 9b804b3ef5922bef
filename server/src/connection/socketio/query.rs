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

/// How a query was sent, and what there is that it may name.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// Whether the request is to become something else than HTTP.
    pub(super) upgrades: bool,
    /// Whether there is a session of this id.
    pub(super) knows: &'a dyn Fn(&str) -> bool,
}

impl<'a> Query<'a> {
    /// Reads a query, with the checks and in the order of the official server: clients go by the number. A parameter
    /// that comes twice is refused, for two readers could take different ones; so is a session without a name.
    pub(super) fn parse(asked: &Asked<'_>, query: &'a str) -> Result<Self, Refused> {
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
        let is_no_upgrade = way == Way::WebSocket && !asked.upgrades;
        let is_other_version = version != Some("4");
        match (sid, asked.method) {
            (Some(sid), _) if !(asked.knows)(sid) => Err(Refused::UnknownSession),
            (Some(_), _) if is_no_upgrade || is_other_version => Err(Refused::BadRequest),
            (Some(_), &Method::POST) if way == Way::Polling => Ok(Self { way, sid }),
            (_, &Method::GET) if is_no_upgrade => Err(Refused::BadRequest),
            (_, &Method::GET) if is_other_version => Err(Refused::UnsupportedVersion),
            (_, &Method::GET) => Ok(Self { way, sid }),
            _ => Err(Refused::BadMethod),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a method and a query, such as `GET EIO=4`; `UPGRADE` is a GET that asks for one. The session `ab` is
    /// known.
    fn parse(request: &str) -> Result<Query<'_>, Refused> {
        let (method, query) = request.split_once(' ').unwrap();
        let upgrades = method == "UPGRADE";
        let asked = Asked {
            method: &method.replace("UPGRADE", "GET").parse().unwrap(),
            upgrades,
            knows: &|sid| sid == "ab",
        };
        Query::parse(&asked, query)
    }

    #[test]
    fn requests_of_the_protocol_are_read() {
        for (request, way, sid) in [
            ("GET EIO=4&transport=polling&t=x", Way::Polling, None),
            ("POST EIO=4&transport=polling&sid=ab", Way::Polling, Some("ab")),
            ("UPGRADE EIO=4&transport=websocket", Way::WebSocket, None),
            (
                "UPGRADE sid=ab&EIO=4&transport=websocket",
                Way::WebSocket,
                Some("ab"),
            ),
        ] {
            assert_eq!(parse(request), Ok(Query { way, sid }), "{request}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_its_number() {
        for (request, refused) in [
            ("GET ", Refused::UnknownTransport),
            ("POST EIO=4", Refused::UnknownTransport),
            ("GET EIO=4&transport=__proto__", Refused::UnknownTransport),
            ("GET EIO=4&transport=webtransport", Refused::UnknownTransport),
            ("GET EIO=4&transport=polling&sid=", Refused::UnknownSession),
            ("GET EIO=3&transport=polling&sid=x", Refused::UnknownSession),
            ("GET EIO=4&transport=polling&sid=a&sid=b", Refused::UnknownSession),
            ("POST EIO=4&transport=polling&sid=x", Refused::UnknownSession),
            ("POST EIO=4&transport=polling", Refused::BadMethod),
            ("POST EIO=3&transport=polling", Refused::BadMethod),
            ("POST EIO=4&transport=websocket", Refused::BadMethod),
            ("GET EIO=3&transport=websocket", Refused::BadRequest),
            ("GET EIO=4&transport=websocket", Refused::BadRequest),
            ("GET EIO=4&transport=websocket&sid=ab", Refused::BadRequest),
            ("GET EIO=3&transport=polling&sid=ab", Refused::BadRequest),
            ("GET EIO=3&transport=polling", Refused::UnsupportedVersion),
            ("UPGRADE EIO=3&transport=websocket", Refused::UnsupportedVersion),
            ("GET EIO=4&EIO=3&transport=polling", Refused::UnsupportedVersion),
        ] {
            assert_eq!(parse(request), Err(refused), "{request}");
        }
    }
}

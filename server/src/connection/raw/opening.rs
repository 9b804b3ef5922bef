//! What a client asks for when it opens the raw WebSocket: its token, its name for itself, its wishes.

use axum::http::HeaderMap;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use bmt_shared::error::{ErrorCode, Failure};

use super::super::metadata;

/// The subprotocol of this binding.
pub(super) const SUBPROTOCOL: &str = "bmt.v1";
/// Before the token in the list of subprotocols.
const BEARER: &str = "bearer.";
/// The value of `protocol` that there is.
const PROTOCOL: &str = "1.0";
/// Most bytes of the client's name for itself.
const CLIENT_ID_BYTES: usize = 128;

/// How the client says who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    /// A token in the subprotocols or in the query; `None` where there is none.
    Token(Option<String>),
    /// A single-use ticket in the query.
    Ticket(String),
    /// The first frame tells.
    FirstFrame,
}

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) credential: Credential,
    pub(super) client_id: Option<String>,
    /// Whether the client offers [`SUBPROTOCOL`]: then it is chosen.
    pub(super) offers_subprotocol: bool,
    /// Whether several envelopes may come in one frame.
    pub(super) batch: bool,
}

impl Opening {
    /// Reads query and headers. `most_bytes` is how long the query may be, apart from the credential; 0 is no limit.
    ///
    /// # Errors
    /// For a `protocol` or a `clientId` that this server does not take, and for a query that is too long.
    pub(super) fn parse(query: &str, headers: &HeaderMap, most_bytes: usize) -> Result<Self, Failure> {
        let mut opening = Self {
            credential: Credential::Token(None),
            client_id: None,
            offers_subprotocol: false,
            batch: false,
        };
        let mut bytes = 0;
        let mut token = None;
        let mut ticket = None;
        let mut first_frame = false;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !matches!(name.as_ref(), "token" | "ticket") {
                bytes += name.len() + value.len();
            }
            match name.as_ref() {
                "token" if !value.is_empty() => token = Some(value.into_owned()),
                "ticket" if !value.is_empty() => ticket = Some(value.into_owned()),
                "auth" => first_frame = value == "frame",
                "batch" => opening.batch = value == "1",
                "clientId" if !value.is_empty() => opening.client_id = Some(client_id(&value)?),
                "protocol" if value != PROTOCOL => {
                    return Err(Failure::new(
                        ErrorCode::InvalidProtocol,
                        format!(
                            "this server speaks protocol={PROTOCOL}; leave the parameter out or send that"
                        ),
                    ));
                }
                _ => {}
            }
        }
        metadata::admit("the query", bytes, most_bytes)?;
        let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        for offer in offers
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
        {
            let offer = offer.trim();
            opening.offers_subprotocol |= offer == SUBPROTOCOL;
            // Preferred to the query, which proxies write into their logs.
            if let Some(bearer) = offer.strip_prefix(BEARER) {
                token = Some(bearer.to_owned());
            }
        }
        opening.credential = match (token, ticket, first_frame) {
            (Some(token), ..) => Credential::Token(Some(token)),
            (None, Some(ticket), _) => Credential::Ticket(ticket),
            (None, None, true) => Credential::FirstFrame,
            (None, None, false) => Credential::Token(None),
        };
        Ok(opening)
    }
}

fn client_id(value: &str) -> Result<String, Failure> {
    if value.len() <= CLIENT_ID_BYTES && value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Ok(value.to_owned());
    }
    Err(Failure::new(
        ErrorCode::InvalidMessage,
        format!("`clientId` must be at most {CLIENT_ID_BYTES} printable ASCII characters"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn parse(query: &str, protocols: &'static str) -> Result<Opening, ErrorCode> {
        let mut headers = HeaderMap::new();
        if !protocols.is_empty() {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocols));
        }
        Opening::parse(query, &headers, 100).map_err(|failure| failure.code)
    }

    #[test]
    fn the_token_is_found_where_it_may_stand() {
        let token = |token: &str| Credential::Token(Some(token.to_owned()));
        let by_protocol = parse("", "bmt.v1, bearer.a.b.c").unwrap();
        assert_eq!(
            (by_protocol.credential, by_protocol.offers_subprotocol),
            (token("a.b.c"), true)
        );
        let by_query = parse("token=Bearer%20a.b.c&clientId=c1&protocol=1.0", "").unwrap();
        assert_eq!(by_query.credential, token("Bearer a.b.c"));
        assert_eq!(by_query.client_id.as_deref(), Some("c1"));
        assert_eq!(parse("token=q", "bearer.p").unwrap().credential, token("p"));
        assert_eq!(
            parse("auth=frame", "bmt.v1").unwrap().credential,
            Credential::FirstFrame
        );
        assert_eq!(
            parse("ticket=t&auth=frame", "bmt.v1").unwrap().credential,
            Credential::Ticket("t".to_owned())
        );
        assert_eq!(parse("", "").unwrap().credential, Credential::Token(None));
    }

    #[test]
    fn several_envelopes_in_a_frame_are_asked_for() {
        assert!(parse("batch=1", "").unwrap().batch);
        for without in ["", "batch=0", "batch=", "batch=true"] {
            assert!(!parse(without, "").unwrap().batch, "{without}");
        }
    }

    #[test]
    fn the_query_may_be_so_long_beside_the_token() {
        let query = |rest: usize| format!("token={}&a={}", "t".repeat(1_000), "x".repeat(rest));
        assert!(parse(&query(99), "").is_ok());
        assert_eq!(parse(&query(100), ""), Err(ErrorCode::InvalidMessage));
    }

    #[test]
    fn an_unknown_protocol_is_refused() {
        assert_eq!(parse("protocol=2.0", ""), Err(ErrorCode::InvalidProtocol));
        assert_eq!(parse("clientId=%00", ""), Err(ErrorCode::InvalidMessage));
    }
}

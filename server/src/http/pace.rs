//! How often anybody may ask over HTTP (SPEC §10): 429 with the time to wait, before anything else is done.
//!
//! What is refused here leaves no row in the audit log: nobody's right was looked at, and a flood would be one of
//! rows too.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bmt_shared::error::ErrorCode;

use super::Refusal;
use super::control::Control;
use crate::clock;

/// Routes that hash a password, make an account or guess a code: a request there is worth so many others.
const DEAR: [&str; 3] = ["/auth/register", "/auth/password", "/auth/password/reset"];
const DEAR_TOKENS: u64 = 20;

/// A layer around routes that everybody may try.
pub(super) async fn open(State(control): State<Control>, request: Request, next: Next) -> Response {
    // Without an address there is nobody to count for: a test of a router alone.
    let address = address_of(&control, &request).filter(|_| request.method() != axum::http::Method::OPTIONS);
    if let Some(address) = address {
        let tokens = price(&request);
        let spent = control.node.budgets.spend_open(address, tokens, clock::unix_ms());
        if let Err(wait_ms) = spent {
            return too_often("your address", wait_ms).into_response();
        }
    }
    next.run(request).await
}

/// The answer to those who ask too often.
pub(super) fn too_often(who: &str, wait_ms: u64) -> Refusal {
    let message = format!("Too many requests from {who}. Try again in {wait_ms} ms.");
    Refusal::new(ErrorCode::RateLimited, message).retry_after(wait_ms)
}

fn address_of(control: &Control, request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(control.node.client_address(peer.0.ip(), request.headers()))
}

fn price(request: &Request) -> u64 {
    let path = request.extensions().get::<MatchedPath>();
    let is_dear = path.is_some_and(|path| DEAR.iter().any(|dear| path.as_str().ends_with(dear)));
    if is_dear { DEAR_TOKENS } else { 1 }
}

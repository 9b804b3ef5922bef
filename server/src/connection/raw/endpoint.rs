//! The handshake of `/api/v1/ws`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;

use super::super::handshake::{NoWebSocket, accept, refusal, switching};
use super::super::{Context, Full};
use super::opening::{Opening, SUBPROTOCOL};
use super::pump::Pump;

/// How long the connection may take to be turned over after the handshake's answer.
const UPGRADE: Duration = Duration::from_secs(10);

/// Answers one request to `/api/v1/ws`, and serves the connection when it is turned over.
pub(in super::super) fn handle(context: Arc<Context>, address: IpAddr, mut request: Request) -> Response {
    match prepare(&context, address, &request) {
        Ok((accept, opening, seat)) => {
            let upgraded = hyper::upgrade::on(&mut request);
            let protocol = opening
                .offers_subprotocol
                .then(|| HeaderValue::from_static(SUBPROTOCOL));
            tokio::spawn(async move {
                let _seat = seat;
                if let Ok(Ok(upgraded)) = tokio::time::timeout(UPGRADE, upgraded).await {
                    Pump::new(context, TokioIo::new(upgraded)).serve(opening).await;
                }
            });
            switching(accept, protocol)
        }
        Err(refused) => refused,
    }
}

type Prepared = (HeaderValue, Opening, super::super::Seat);

fn prepare(context: &Context, address: IpAddr, request: &Request) -> Result<Prepared, Response> {
    let accept =
        accept(request.method(), request.version(), request.headers()).map_err(NoWebSocket::into_response)?;
    let query = request.uri().query().unwrap_or_default();
    let opening = Opening::parse(query, request.headers())
        .map_err(|failure| refusal(StatusCode::BAD_REQUEST, &failure))?;
    let seat = context.live.seat(address).map_err(Full::response)?;
    Ok((accept, opening, seat))
}

//! The handshake of `/api/v1/ws`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;

use super::super::arrival::Arrival;
use super::super::handshake::{Denied, accept, switching};
use super::super::{Context, Seat};
use super::opening::{Opening, SUBPROTOCOL};
use super::pump::Pump;
use crate::socket::Socket;

/// How long the connection may take to be turned over after the handshake's answer.
const UPGRADE: Duration = Duration::from_secs(10);

/// Answers one request to `/api/v1/ws`, and serves the connection when it is turned over.
pub(in super::super) fn handle(context: Arc<Context>, address: IpAddr, mut request: Request) -> Response {
    match prepare(&context, address, &request) {
        Ok((accept, opening, seat)) => {
            let upgraded = hyper::upgrade::on(&mut request);
            let arrival = Arrival::raw(address, request.headers());
            let socket = request.extensions_mut().remove::<Socket>();
            let protocol = opening
                .offers_subprotocol
                .then(|| HeaderValue::from_static(SUBPROTOCOL));
            tokio::spawn(async move {
                let _seat = seat;
                if let Ok(Ok(upgraded)) = tokio::time::timeout(UPGRADE, upgraded).await {
                    Pump::new(context, arrival, TokioIo::new(upgraded), socket)
                        .serve(opening)
                        .await;
                }
            });
            switching(accept, protocol)
        }
        Err(denied) => {
            if let Denied::Full(full) = &denied {
                let (reason, status) = full.told();
                context.deny(address, reason, status);
            }
            denied.into_response()
        }
    }
}

type Prepared = (HeaderValue, Opening, Seat);

fn prepare(context: &Context, address: IpAddr, request: &Request) -> Result<Prepared, Denied> {
    let accept = accept(request.method(), request.version(), request.headers())?;
    let query = request.uri().query().unwrap_or_default();
    let opening = Opening::parse(query, request.headers(), context.settings.metadata_bytes)?;
    let seat = context.live.seat(address)?;
    Ok((accept, opening, seat))
}

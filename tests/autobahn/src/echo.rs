//! A server that says what it hears, out of the parts of the raw endpoint.

use std::future::poll_fn;
use std::io;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bmt_server::connection::{Arrived, Wire, accept, switching};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// The largest message of Autobahn's cases 9. The product's limit is 132 KiB by default, and what is above it is
/// closed with 1009: here that would end the cases before they have shown anything.
const MOST_BYTES: usize = 16 * 1_024 * 1_024;

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    axum::serve(listener, Router::new().fallback(open)).await
}

async fn open(mut request: Request) -> Response {
    let accept = match accept(request.method(), request.version(), request.headers()) {
        Ok(accept) => accept,
        Err(refused) => return refused.into_response(),
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            echo(Wire::new(TokioIo::new(upgraded), MOST_BYTES)).await;
        }
    });
    switching(accept, None)
}

/// Closes as the raw endpoint does.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<S>) {
    loop {
        while let Some(arrived) = wire.take() {
            match arrived {
                Arrived::Text(text) => wire.stage_text(&text),
                Arrived::Binary(bytes) => wire.stage_binary(&bytes),
                Arrived::Alive => {}
                Arrived::Closed => return wire.end().await,
                Arrived::Fault(code) => return wire.close(code, "").await,
            }
        }
        if poll_fn(|cx| wire.poll(cx)).await.is_err() {
            return;
        }
    }
}

//! Frames that are too large: row 3.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::bystanders::Bystanders;
use crate::outcome::{Stop, hold};
use crate::run::Run;
use crate::session::within;
use crate::token;

/// Frames to each endpoint: what one of them left behind would be 27 MB.
const FRAMES: usize = 200;
/// The limit of a frame where the payload limit is the default (SPEC §10).
const MOST_BYTES: usize = 2 * 64 * 1_024 + 4 * 1_024;
/// What the raw endpoint closes with.
const TOO_LARGE: u16 = 1009;

/// Row 3.
pub(crate) async fn oversized(mut run: Run) -> Result<String, Stop> {
    let (mut server, _) = run.server(&[])?;
    let address = server.address();
    let bystanders = Bystanders::begin(&server).await?;
    let token = token::of("oversized")?;
    let raw = format!("ws://{address}/api/v1/ws?token={token}");
    let engine_io = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    for _ in 0..FRAMES {
        let code = close_code(&raw, address).await?;
        hold(code == Some(TOO_LARGE), || {
            format!("raw was closed with {code:?}")
        })?;
        close_code(&engine_io, address).await?;
    }
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "{FRAMES} frames of {} bytes ended as many connections of each endpoint; {held}",
        MOST_BYTES + 1
    ))
}

/// Sends a frame one byte over the limit and waits for the end: the code in the server's close, if one came.
async fn close_code(url: &str, address: SocketAddr) -> Result<Option<u16>, String> {
    let (mut socket, _) = within("the handshake", connect_async(url))
        .await?
        .map_err(|error| format!("{address}: {error}"))?;
    // The server may hang up amid it.
    let _ = socket.send(Message::text("x".repeat(MOST_BYTES + 1))).await;
    let end = async {
        let mut code = None;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| frame.code.into());
            }
        }
        code
    };
    within("the end of the connection", end).await
}

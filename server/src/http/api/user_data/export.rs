//! `GET /users/{id}/data`: lines of JSON (NDJSON), one for each thing that is kept. It is written while it is read, so
//! nobody has to hold it all; where it breaks off, so does the body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bmt_shared::id::UserId;
use bytes::Bytes;
use futures_core::Stream;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::{PAGE, messages, user};
use crate::accounts::{Account, AccountError};
use crate::clock;
use crate::files::StoredFile;
use crate::history::{Authored, Traces};
use crate::http::Refusal;
use crate::http::api::files::Uploaded;
use crate::http::control::Control;

/// Files of a user that are read at once.
const FILES: usize = 200;
/// Lines that wait for the connection: the reader of the disk waits beyond that.
const LINES: usize = 64;

/// A line.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Line<'a> {
    /// The first: whose data, and when.
    Export {
        user_id: &'a str,
        timestamp: u64,
    },
    Account {
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<&'a str>,
        name: &'a str,
        role: &'static str,
        permissions: &'a [String],
        blocked: bool,
        created_at: u64,
    },
    Membership {
        topic: &'a str,
        role: &'static str,
        since: u64,
    },
    File {
        file: Uploaded,
    },
    ReadPosition {
        topic: &'a str,
        seq: u64,
    },
    Message {
        topic: &'a str,
        seq: u64,
        id: &'a str,
        timestamp: u64,
        payload: Box<RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        edited: Option<u64>,
        deleted: bool,
    },
    /// The last: nothing is missing.
    End,
}

/// Where lines go. It says whether anybody still reads them.
struct Lines(mpsc::Sender<io::Result<Bytes>>);

impl Lines {
    fn text(line: &Line<'_>) -> io::Result<Bytes> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
        text.push(b'\n');
        Ok(text.into())
    }

    async fn write(&self, line: &Line<'_>) -> io::Result<()> {
        let text = Self::text(line)?;
        self.0.send(Ok(text)).await.map_err(io::Error::other)
    }

    fn write_blocking(&self, line: &Line<'_>) -> io::Result<()> {
        let text = Self::text(line)?;
        self.0.blocking_send(Ok(text)).map_err(io::Error::other)
    }
}

struct Reader(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for Reader {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

pub(in crate::http::api) async fn get(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let user = user(&id);
    let account = match control.node.accounts.get(&user).await {
        Ok(account) => Some(account),
        Err(AccountError::Unknown) => None,
        Err(error) => return Err(Refusal::incident("an account could not be read", &error)),
    };
    let (lines, reader) = mpsc::channel(LINES);
    let shutdown = control.node.shutdown.clone();
    shutdown.spawn(async move {
        let lines = Arc::new(Lines(lines));
        if let Err(error) = tell(&control, &user, account.as_ref(), &lines).await {
            warn!(%error, user = user.as_str(), "the export of a user's data broke off");
            // Nobody may be reading any more; whoever is, sees that there is no end.
            let _ = lines.0.send(Err(error)).await;
        }
    });
    let headers = AppendHeaders([
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"user-data.ndjson\""),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    Ok((headers, Body::from_stream(Reader(reader))).into_response())
}

async fn tell(
    control: &Control,
    user: &UserId,
    account: Option<&Account>,
    lines: &Arc<Lines>,
) -> io::Result<()> {
    let first = Line::Export {
        user_id: user.as_str(),
        timestamp: clock::unix_ms(),
    };
    lines.write(&first).await?;
    if let Some(account) = account {
        let line = Line::Account {
            username: account.username.as_deref(),
            name: &account.user.name,
            role: account.user.role.as_str(),
            permissions: &account.user.permissions,
            blocked: account.blocked,
            created_at: account.created_ms,
        };
        lines.write(&line).await?;
    }
    for (topic, list) in control.node.members.of_user(user) {
        if let Some(member) = list.members.get(user) {
            let line = Line::Membership {
                topic: &topic,
                role: member.role.as_str(),
                since: member.since_ms,
            };
            lines.write(&line).await?;
        }
    }
    let mut before = None;
    loop {
        let page = control.node.files.of_user(user, before, FILES).await;
        let page: Vec<StoredFile> = page.map_err(io::Error::other)?;
        for file in &page {
            let file = Uploaded::of(control, file);
            lines.write(&Line::File { file }).await?;
        }
        match page.last() {
            Some(last) => before = Some(last.id.clone()),
            None => break,
        }
    }
    let (path, user, told) = (messages(control), user.clone(), lines.clone());
    let read = spawn_blocking(move || {
        let mut traces = Traces::open(&path, &user).map_err(io::Error::other)?;
        for (topic, seq) in traces.positions().map_err(io::Error::other)? {
            told.write_blocking(&Line::ReadPosition { topic: &topic, seq })?;
        }
        loop {
            let page = traces.next_page(PAGE).map_err(io::Error::other)?;
            for message in &page {
                told.write_blocking(&line(message)?)?;
            }
            if page.is_empty() {
                return told.write_blocking(&Line::End);
            }
        }
    });
    read.await.map_err(io::Error::other)?
}

fn line(message: &Authored) -> io::Result<Line<'_>> {
    Ok(Line::Message {
        topic: &message.topic,
        seq: message.seq,
        id: &message.id,
        timestamp: message.timestamp,
        payload: RawValue::from_string(message.payload.clone()).map_err(io::Error::other)?,
        edited: message.edited,
        deleted: message.is_deleted,
    })
}

//! `GET /users/{id}/data`: lines of JSON (NDJSON), one for each thing that is kept. It is written while it is read, so
//! nobody has to hold it all; where it breaks off, so does the body.

use std::io;
use std::path::Path as FilePath;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bmt_server_core::channel::Traced;
use bmt_shared::id::UserId;
use bytes::Bytes;
use futures_core::Stream;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::{PAGE, messages, traced};
use crate::accounts::{Account, AccountError};
use crate::clock;
use crate::files::StoredFile;
use crate::history::{Trace, Traces};
use crate::http::Refusal;
use crate::http::api::files::Uploaded;
use crate::http::control::Control;
use crate::records::{AuditPage, AuditQuery, AuditRow, Crash};

/// Files of a user that are read at once.
const FILES: usize = 200;
/// Acts that are read at once.
const ACTS: usize = 200;
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
        /// Somebody else where the channel is the user's own.
        from: &'a str,
        timestamp: u64,
        payload: Box<RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        edited: Option<u64>,
        deleted: bool,
    },
    CrashReport {
        report: &'a Crash,
    },
    /// By the user, or about the user.
    AuditEntry {
        entry: &'a AuditRow,
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
    let traced = traced(&control, &id);
    let account = match control.node.accounts.get(&traced.user).await {
        Ok(account) => Some(account),
        Err(AccountError::Unknown) => None,
        Err(error) => return Err(Refusal::incident("an account could not be read", &error)),
    };
    let (lines, reader) = mpsc::channel(LINES);
    let shutdown = control.node.shutdown.clone();
    shutdown.spawn(async move {
        let lines = Arc::new(Lines(lines));
        if let Err(error) = tell(&control, &traced, account.as_ref(), &lines).await {
            warn!(%error, user = traced.user.as_str(), "the export of a user's data broke off");
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
    traced: &Arc<Traced>,
    account: Option<&Account>,
    lines: &Arc<Lines>,
) -> io::Result<()> {
    let user = &traced.user;
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
    tell_files(control, user, lines).await?;
    tell_records(control, user, lines).await?;
    for entry in control.node.histories.remembered_of(traced) {
        if let Some(line) = line(&Trace::from(&*entry), traced)? {
            lines.write(&line).await?;
        }
    }
    let (path, traced, told) = (messages(control), traced.clone(), lines.clone());
    let read = spawn_blocking(move || tell_stored(&path, &traced, &told));
    read.await.map_err(io::Error::other)??;
    lines.write(&Line::End).await
}

async fn tell_files(control: &Control, user: &UserId, lines: &Lines) -> io::Result<()> {
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
            None => return Ok(()),
        }
    }
}

/// Crash reports, and acts by the user and about the user.
async fn tell_records(control: &Control, user: &UserId, lines: &Lines) -> io::Result<()> {
    let crashes = control.records.crashes_of(user.as_str()).await;
    for report in &crashes.map_err(io::Error::other)? {
        lines.write(&Line::CrashReport { report }).await?;
    }
    let mut query = AuditQuery {
        concerning: Some(user.as_str().to_owned()),
        limit: ACTS,
        ..AuditQuery::default()
    };
    loop {
        let page = control.records.audit(query.clone()).await;
        let AuditPage { entries, next_cursor } = page.map_err(io::Error::other)?;
        for entry in &entries {
            lines.write(&Line::AuditEntry { entry }).await?;
        }
        query.before = next_cursor.and_then(|cursor| cursor.parse().ok());
        if query.before.is_none() {
            return Ok(());
        }
    }
}

/// Read positions and messages that are on the disk.
fn tell_stored(path: &FilePath, traced: &Arc<Traced>, lines: &Lines) -> io::Result<()> {
    let mut traces = Traces::open(path, traced.clone()).map_err(io::Error::other)?;
    for (topic, seq) in traces.positions().map_err(io::Error::other)? {
        lines.write_blocking(&Line::ReadPosition { topic: &topic, seq })?;
    }
    loop {
        let page = traces.next_page(PAGE).map_err(io::Error::other)?;
        for trace in &page {
            if let Some(line) = line(trace, traced)? {
                lines.write_blocking(&line)?;
            }
        }
        if page.is_empty() {
            return Ok(());
        }
    }
}

/// [`None`] for a message of another that the user has reacted to: the reaction is a message of its own.
fn line<'a>(trace: &'a Trace, traced: &Traced) -> io::Result<Option<Line<'a>>> {
    if trace.from != traced.user.as_str() && !traced.owns(&trace.topic) {
        return Ok(None);
    }
    // The export breaks off, which who reads it sees by the missing end: better than words that nobody wrote.
    if !trace.is_sound {
        return Err(io::Error::other(format!(
            "message {} of {} is damaged: `bmt-server check-store` tells where else",
            trace.seq, trace.topic
        )));
    }
    Ok(Some(Line::Message {
        topic: &trace.topic,
        seq: trace.seq,
        id: &trace.id,
        from: &trace.from,
        timestamp: trace.timestamp,
        payload: RawValue::from_string(trace.payload.clone()).map_err(io::Error::other)?,
        edited: trace.edited,
        deleted: trace.is_deleted,
    }))
}

//! The audit log: who did what to whom, with what outcome, from where, when (SPEC §8). Rows are added and, by the
//! retention, dropped; nothing changes one.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{Records, RecordsError, Retention};
use crate::database::{from_sql, to_sql};

/// What a person typed, and what a path holds, is cut to this: a row is a line, not a store.
const TEXT_BYTES: usize = 256;
/// The retention is looked at after so many rows.
const TRIM_EVERY: u64 = 512;
/// Most rows of one page.
pub(super) const PAGE_MAX: usize = 200;

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A user, by the token's `sub` or the login.
    User(String),
    /// An API key, by its id.
    Key(String),
    /// Somebody at the command line of the server's machine.
    CommandLine,
    /// Nobody who could be told apart: no token, or one that proves nothing.
    Unknown,
}

impl Actor {
    fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Key(_) => "key",
            Self::CommandLine => "command_line",
            Self::Unknown => "unknown",
        }
    }

    fn id(&self) -> &str {
        match self {
            Self::User(id) | Self::Key(id) => id,
            Self::CommandLine | Self::Unknown => "",
        }
    }
}

/// What became of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The caller may not.
    Denied,
    /// It was allowed and could not be done.
    Failed,
}

impl Outcome {
    /// As it stands in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    /// Reads it again.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Done, Self::Denied, Self::Failed]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }

    /// What a status of HTTP means here.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            0..=399 => Self::Done,
            401 | 403 | 429 => Self::Denied,
            _ => Self::Failed,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One act, to be written down.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// When, ms since the Unix epoch.
    pub at_ms: u64,
    /// Who.
    pub actor: Actor,
    /// What, such as `user.block` or `auth.login`.
    pub act: String,
    /// To whom or what: a user, a channel, a connection, a key; empty where there is none.
    pub target: String,
    /// With what outcome.
    pub outcome: Outcome,
    /// The HTTP status; 0 at the command line.
    pub status: u16,
    /// From where.
    pub address: Option<IpAddr>,
    /// The request's id, as the answer and the server's log have it.
    pub request: String,
    /// How many attempts that were alike it stands for; 1 but for handshakes.
    pub times: u32,
}

/// One row of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditRow {
    /// Ascending with time.
    id: u64,
    /// When, ms since the Unix epoch.
    at: u64,
    /// `user`, `key`, `command_line` or `unknown`.
    actor_kind: String,
    /// The user's or the key's id.
    actor: String,
    /// Such as `user.block` or `auth.login`.
    act: String,
    /// A user, a channel, a connection, a key.
    target: String,
    /// `done`, `denied` or `failed`.
    outcome: String,
    /// The HTTP status; 0 at the command line.
    status: u16,
    /// From where.
    address: String,
    /// The request's id; empty where there is none.
    request_id: String,
    /// How many attempts that were alike the row stands for.
    times: u32,
}

/// Which rows are asked for.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Only by this user or about this user.
    pub concerning: Option<String>,
    /// Only of this user or key.
    pub actor: Option<String>,
    /// Only this act, or with a dot at its end all acts that begin so.
    pub act: Option<String>,
    /// Only of this target.
    pub target: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Not before this time, ms since the Unix epoch.
    pub from_ms: Option<u64>,
    /// Not at or after this time.
    pub to_ms: Option<u64>,
    /// Only rows with a smaller id: the next page.
    pub before: Option<u64>,
    /// Most rows, 1–200.
    pub limit: usize,
}

/// Rows, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    /// The rows.
    pub entries: Vec<AuditRow>,
    /// Names the next page, of older ones, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Records {
    /// Writes an act down; returns when it is on the disk.
    ///
    /// # Errors
    /// Where it cannot be written. The act is done then: the caller logs what the row would have said.
    pub async fn note(&self, entry: AuditEntry) -> Result<(), RecordsError> {
        let retention = self.retention;
        let trims = self
            .written
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(TRIM_EVERY);
        self.writer
            .run(move |connection| {
                add(connection, &entry)?;
                if trims {
                    trim(connection, retention, entry.at_ms)?;
                }
                Ok(())
            })
            .await
    }

    /// A page of the log.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn audit(&self, query: AuditQuery) -> Result<AuditPage, RecordsError> {
        self.read(move |connection| page(connection, &query)).await
    }
}

/// At most [`TEXT_BYTES`] of a text, and nothing that would break a line.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().filter(|letter| !letter.is_control()).collect();
    while cut.len() > TEXT_BYTES {
        cut.pop();
    }
    cut
}

fn add(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit (at_ms, actor_kind, actor, act, target, outcome, status, address, request, times)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            to_sql(entry.at_ms),
            entry.actor.kind(),
            cut(entry.actor.id()),
            entry.act,
            cut(&entry.target),
            entry.outcome.as_str(),
            entry.status,
            entry
                .address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            entry.request,
            entry.times,
        ])?;
    Ok(())
}

/// Drops what is too old, then what is too much: a flood of refused requests pushes out refused ones, never the
/// record of what was done.
fn trim(connection: &Connection, retention: Retention, now_ms: u64) -> rusqlite::Result<()> {
    if retention.keep_ms > 0 {
        let oldest = to_sql(now_ms.saturating_sub(retention.keep_ms));
        connection.execute("DELETE FROM audit WHERE at_ms < ?1", [oldest])?;
    }
    if retention.rows > 0 {
        let rows: i64 = connection.query_row("SELECT count(*) FROM audit", (), |row| row.get(0))?;
        let surplus = rows.saturating_sub(to_sql(retention.rows)).max(0);
        connection.execute(
            "DELETE FROM audit WHERE id IN (
                 SELECT id FROM audit ORDER BY outcome <> 'denied', id LIMIT ?1
             )",
            [surplus],
        )?;
    }
    Ok(())
}

fn page(connection: &Connection, query: &AuditQuery) -> rusqlite::Result<AuditPage> {
    let mut sql =
        "SELECT id, at_ms, actor_kind, actor, act, target, outcome, status, address, request, times FROM audit \
                   WHERE 1 = 1"
            .to_owned();
    let mut values: Vec<Value> = Vec::new();
    let mut only = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.push(value);
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::Text);
    let ms = |ms: Option<u64>| ms.map(|ms| Value::Integer(to_sql(ms)));
    only("? IN (actor, target)", text(&query.concerning));
    only("actor = ?", text(&query.actor));
    only("target = ?", text(&query.target));
    // Acts are lower-case words and dots: none of the characters that `GLOB` reads as a pattern is let in.
    let family = query
        .act
        .as_ref()
        .is_some_and(|act| act.ends_with('.') && !act.contains(['*', '?', '[']));
    if family {
        only("act GLOB ? || '*'", text(&query.act));
    } else {
        only("act = ?", text(&query.act));
    }
    only(
        "outcome = ?",
        query.outcome.map(|it| Value::Text(it.as_str().to_owned())),
    );
    only("at_ms >= ?", ms(query.from_ms));
    only("at_ms < ?", ms(query.to_ms));
    only("id < ?", ms(query.before));
    let limit = query.limit.clamp(1, PAGE_MAX);
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(Value::Integer(i64::try_from(limit + 1).expect("a few hundred")));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        Ok(AuditRow {
            id: from_sql(row.get(0)?),
            at: from_sql(row.get(1)?),
            actor_kind: row.get(2)?,
            actor: row.get(3)?,
            act: row.get(4)?,
            target: row.get(5)?,
            outcome: row.get(6)?,
            status: row.get(7)?,
            address: row.get(8)?,
            request_id: row.get(9)?,
            times: row.get(10)?,
        })
    })?;
    let mut entries = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next_cursor = entries
        .last()
        .filter(|_| has_more)
        .map(|last| last.id.to_string());
    Ok(AuditPage { entries, next_cursor })
}

//! Crash reports of the web app (SPEC §8). Reports of the same text are one row that counts.

use rusqlite::{Connection, Row, params};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{Records, RecordsError};
use crate::database::{from_sql, to_sql};

/// Different crashes that are kept; beyond that the one that was seen longest ago goes.
const CRASHES: i64 = 1_000;

/// A report as it came.
#[derive(Clone, Debug, Default)]
pub struct CrashReport {
    /// The error's text.
    pub error: String,
    /// Where it was thrown.
    pub stack: String,
    /// Which views it was thrown in.
    pub component_stack: String,
    /// Who was logged in; empty for nobody.
    pub user_id: String,
    /// The browser.
    pub agent: String,
    /// The person's address.
    pub address: String,
}

/// A crash that was reported, once or often.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Crash {
    /// Names it in pages.
    id: u64,
    error: String,
    stack: String,
    component_stack: String,
    /// Who was logged in last; empty for nobody.
    user_id: String,
    /// The last browser.
    agent: String,
    /// The last person's address.
    address: String,
    /// How often it was reported.
    reports: u64,
    /// When first, ms since the Unix epoch.
    first_at: u64,
    /// When last.
    last_at: u64,
}

/// Crashes, those reported last first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrashPage {
    /// The crashes.
    pub errors: Vec<Crash>,
    /// Names the next page, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Records {
    /// Keeps a report.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn report_crash(&self, report: CrashReport, now_ms: u64) -> Result<(), RecordsError> {
        self.writer
            .run(move |connection| keep(connection, &report, now_ms))
            .await
    }

    /// A page of crashes, behind the one that was last reported at this time, ms, and has this id.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn crashes(&self, behind: Option<(u64, u64)>, limit: usize) -> Result<CrashPage, RecordsError> {
        self.read(move |connection| page(connection, behind, limit)).await
    }
}

impl Records {
    /// The crashes that were reported by this user last.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn crashes_of(&self, user: &str) -> Result<Vec<Crash>, RecordsError> {
        let user = user.to_owned();
        self.read(move |connection| of_user(connection, &user)).await
    }

    /// Forgets that this user reported crashes; the crashes stay. Answers how many there were.
    ///
    /// # Errors
    /// Where the store cannot be written to.
    pub async fn forget_reporter(&self, user: &str) -> Result<u64, RecordsError> {
        let user = user.to_owned();
        self.writer
            .run(move |connection| {
                let forgotten = connection.execute(
                    "UPDATE crash SET user_id = '', agent = '', address = '' WHERE user_id = ?1 AND user_id <> ''",
                    [user],
                )?;
                Ok(forgotten as u64)
            })
            .await
    }
}

fn keep(connection: &Connection, report: &CrashReport, now_ms: u64) -> rusqlite::Result<()> {
    let mut hash = Sha256::new();
    for part in [&report.error, &report.stack, &report.component_stack] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let fingerprint = hash.finalize();
    connection
        .prepare_cached(
            "INSERT INTO crash (fingerprint, error, stack, component_stack, user_id, agent, address, reports, first_ms, last_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8)
             ON CONFLICT (fingerprint) DO UPDATE SET reports = reports + 1, last_ms = ?8, user_id = ?5, agent = ?6,
                 address = ?7",
        )?
        .execute(params![
            &fingerprint[..],
            report.error,
            report.stack,
            report.component_stack,
            report.user_id,
            report.agent,
            report.address,
            to_sql(now_ms),
        ])?;
    connection.execute(
        "DELETE FROM crash WHERE id IN (SELECT id FROM crash ORDER BY last_ms DESC, id DESC LIMIT -1 OFFSET ?1)",
        [CRASHES],
    )?;
    Ok(())
}

fn page(connection: &Connection, behind: Option<(u64, u64)>, limit: usize) -> rusqlite::Result<CrashPage> {
    let (last_ms, last_id) = behind.map_or((i64::MAX, i64::MAX), |(ms, id)| (to_sql(ms), to_sql(id)));
    let mut statement = connection.prepare_cached(
        "SELECT id, error, stack, component_stack, user_id, agent, address, reports, first_ms, last_ms FROM crash
         WHERE (last_ms, id) < (?1, ?2) ORDER BY last_ms DESC, id DESC LIMIT ?3",
    )?;
    let most = i64::try_from(limit + 1).expect("a few hundred");
    let rows = statement.query_map(params![last_ms, last_id, most], crash)?;
    let mut errors = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = errors.len() > limit;
    errors.truncate(limit);
    let last = errors.last().filter(|_| has_more);
    let next_cursor = last.map(|last| format!("{}.{}", last.last_at, last.id));
    Ok(CrashPage { errors, next_cursor })
}

fn of_user(connection: &Connection, user: &str) -> rusqlite::Result<Vec<Crash>> {
    connection
        .prepare_cached(
            "SELECT id, error, stack, component_stack, user_id, agent, address, reports, first_ms, last_ms FROM crash
             WHERE user_id = ?1 ORDER BY id",
        )?
        .query_map([user], crash)?
        .collect()
}

fn crash(row: &Row<'_>) -> rusqlite::Result<Crash> {
    Ok(Crash {
        id: from_sql(row.get(0)?),
        error: row.get(1)?,
        stack: row.get(2)?,
        component_stack: row.get(3)?,
        user_id: row.get(4)?,
        agent: row.get(5)?,
        address: row.get(6)?,
        reports: from_sql(row.get(7)?),
        first_at: from_sql(row.get(8)?),
        last_at: from_sql(row.get(9)?),
    })
}

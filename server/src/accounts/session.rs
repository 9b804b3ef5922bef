//! Logins in the store: begun by a password, continued by refresh tokens, ended by a logout.
//!
//! A refresh token has a generation. Presenting generation n answers with n + 1, the same text each time, until
//! n + 1 is presented itself: a lost answer costs nothing. After that n is spent. A spent token that comes back
//! is in two hands, so the login ends for both.

use bmt_shared::id::UserId;
use rusqlite::{Connection, OptionalExtension, params};

use super::account::{self, Account};
use crate::auth::{RefreshToken, SessionId};
use crate::database::to_sql;

/// Two tabs may refresh at once with the same cookie: for this long a token that was just spent is answered
/// with what its successor was answered with.
const OVERLAP_MS: u64 = 30_000;
/// Logins of one account; beginning another ends the oldest.
const SESSIONS_PER_USER: i64 = 50;

/// What became of a refresh token.
#[derive(Debug)]
pub(super) enum Continued {
    /// The login goes on; the next token has this generation.
    Next(Box<Account>, u64),
    /// It was over before.
    Over,
    /// A spent token came back; the login has been ended because of it.
    Stolen(Box<Account>),
}

struct Stored {
    user_id: String,
    generation: u64,
    rotated_ms: u64,
    over: bool,
}

/// A login that begins.
pub(super) struct Begun {
    pub(super) session: SessionId,
    pub(super) user: UserId,
    pub(super) agent: String,
    pub(super) now_ms: u64,
    pub(super) expires_ms: u64,
}

/// Begins a login. Answers with the older ones that had to end for it.
pub(super) fn begin(connection: &mut Connection, begun: &Begun) -> rusqlite::Result<Vec<SessionId>> {
    let now_ms = to_sql(begun.now_ms);
    let all = connection.transaction()?;
    all.execute("DELETE FROM session WHERE expires_ms <= ?1", [now_ms])?;
    all.execute(
        "INSERT INTO session (session_id, user_id, rotated_ms, created_ms, expires_ms, agent) \
         VALUES (?1, ?2, ?3, ?3, ?4, ?5)",
        params![
            begun.session.as_str(),
            begun.user.as_str(),
            now_ms,
            to_sql(begun.expires_ms),
            begun.agent
        ],
    )?;
    let ended = all
        .prepare(
            "UPDATE session SET ended_ms = ?2 WHERE session_id IN (
                 SELECT session_id FROM session WHERE user_id = ?1 AND ended_ms IS NULL
                 ORDER BY created_ms DESC, rowid DESC LIMIT -1 OFFSET ?3
             ) RETURNING session_id",
        )?
        .query_map(params![begun.user.as_str(), now_ms, SESSIONS_PER_USER], read_id)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    all.commit()?;
    Ok(ended)
}

fn read_id(row: &rusqlite::Row<'_>) -> rusqlite::Result<SessionId> {
    Ok(SessionId::new(row.get_ref(0)?.as_str()?))
}

/// Ends all logins of a user but one. Answers with those that it ended.
pub(super) fn end_all(
    connection: &Connection,
    user: &UserId,
    but: Option<&SessionId>,
    now_ms: u64,
) -> rusqlite::Result<Vec<SessionId>> {
    connection
        .prepare(
            "UPDATE session SET ended_ms = ?2
             WHERE user_id = ?1 AND ended_ms IS NULL AND session_id IS NOT ?3 RETURNING session_id",
        )?
        .query_map(
            params![user.as_str(), to_sql(now_ms), but.map(SessionId::as_str)],
            read_id,
        )?
        .collect()
}

/// Continues a login with a token that is known to be authentic.
pub(super) fn continue_with(
    connection: &mut Connection,
    token: &RefreshToken,
    now_ms: u64,
    expires_ms: u64,
) -> rusqlite::Result<Continued> {
    let all = connection.transaction()?;
    let Some(stored) = find(&all, &token.session, now_ms)? else {
        return Ok(Continued::Over);
    };
    let Some(account) = account::by_id(&all, &stored.user_id)?.filter(|account| !account.blocked) else {
        return Ok(Continued::Over);
    };
    if stored.over {
        return Ok(Continued::Over);
    }
    let current = stored.generation;
    let spent_just_now = token.generation + 1 == current && now_ms < stored.rotated_ms + OVERLAP_MS;
    let generation = if token.generation == current || token.generation == current + 1 {
        token.generation
    } else if spent_just_now {
        current
    } else {
        end(&all, &token.session, now_ms)?;
        all.commit()?;
        return Ok(Continued::Stolen(Box::new(account)));
    };
    let rotated_ms = if generation > current {
        now_ms
    } else {
        stored.rotated_ms
    };
    all.execute(
        "UPDATE session SET generation = ?2, rotated_ms = ?3, expires_ms = ?4 WHERE session_id = ?1",
        params![
            token.session.as_str(),
            to_sql(generation),
            to_sql(rotated_ms),
            to_sql(expires_ms)
        ],
    )?;
    all.commit()?;
    Ok(Continued::Next(Box::new(account), generation + 1))
}

/// Ends a login and answers whose it was; none if there was none to end.
pub(super) fn end(
    connection: &Connection,
    session: &SessionId,
    now_ms: u64,
) -> rusqlite::Result<Option<UserId>> {
    connection
        .query_row(
            "UPDATE session SET ended_ms = ?2 WHERE session_id = ?1 AND ended_ms IS NULL RETURNING user_id",
            params![session.as_str(), to_sql(now_ms)],
            |row| Ok(UserId::new(row.get_ref(0)?.as_str()?)),
        )
        .optional()
}

/// Ends a login of this user; false if there was none to end.
pub(super) fn end_of(
    connection: &Connection,
    user: &UserId,
    session: &SessionId,
    now_ms: u64,
) -> rusqlite::Result<bool> {
    let ended = connection.execute(
        "UPDATE session SET ended_ms = ?3 WHERE session_id = ?2 AND user_id = ?1 AND ended_ms IS NULL",
        params![user.as_str(), session.as_str(), to_sql(now_ms)],
    )?;
    Ok(ended > 0)
}

fn find(connection: &Connection, session: &SessionId, now_ms: u64) -> rusqlite::Result<Option<Stored>> {
    let read = |row: &rusqlite::Row<'_>| {
        let (generation, rotated_ms, expires_ms): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let ended: Option<i64> = row.get(4)?;
        Ok(Stored {
            user_id: row.get(0)?,
            generation: u64::try_from(generation).unwrap_or(0),
            rotated_ms: u64::try_from(rotated_ms).unwrap_or(0),
            over: ended.is_some() || expires_ms <= to_sql(now_ms),
        })
    };
    connection
        .prepare_cached(
            "SELECT user_id, generation, rotated_ms, expires_ms, ended_ms FROM session WHERE session_id = ?1",
        )?
        .query_row([session.as_str()], read)
        .optional()
}

//! A person's own logins: seen in a list, and ended one by one or all at once (SPEC §2).

use bmt_shared::id::UserId;
use rusqlite::params;

use super::session;
use super::{Accounts, StoreError};
use crate::auth::SessionId;
use crate::database::to_sql;

/// A login that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Its name, the claim `sid` of its tokens.
    pub session: SessionId,
    /// What its browser or program called itself at login; may be empty.
    pub agent: String,
    /// When it began, ms since the epoch.
    pub created_ms: u64,
    /// When it was last continued, ms since the epoch.
    pub used_ms: u64,
    /// When it ends if it is not used, ms since the epoch.
    pub expires_ms: u64,
}

impl Accounts {
    /// The logins of a user that hold, the latest first. There are 50 at most.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn sessions(&self, user: &UserId, now_ms: u64) -> Result<Vec<OpenSession>, StoreError> {
        let user = user.clone();
        self.database
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "SELECT session_id, agent, created_ms, rotated_ms, expires_ms FROM session
                         WHERE user_id = ?1 AND ended_ms IS NULL AND expires_ms > ?2
                         ORDER BY rotated_ms DESC, rowid DESC",
                    )?
                    .query_map(params![user.as_str(), to_sql(now_ms)], read)?
                    .collect()
            })
            .await
    }

    /// Ends one login of a user; false where the user has no such login.
    ///
    /// # Errors
    /// Where the store cannot be written to.
    pub async fn end_session(
        &self,
        user: &UserId,
        session: &SessionId,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let (owner, id) = (user.clone(), session.clone());
        let ended = self
            .database
            .run(move |connection| session::end_of(connection, &owner, &id, now_ms))
            .await?;
        if ended {
            self.forget(user.clone(), session.clone(), now_ms);
        }
        Ok(ended)
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<OpenSession> {
    let ms = |column: usize| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0));
    Ok(OpenSession {
        session: SessionId::new(row.get_ref(0)?.as_str()?),
        agent: row.get(1)?,
        created_ms: ms(2)?,
        used_ms: ms(3)?,
        expires_ms: ms(4)?,
    })
}

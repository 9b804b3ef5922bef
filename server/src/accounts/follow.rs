//! What another process writes into the database, such as `bmt-server user`, holds in this one too.
//!
//! SQLite counts the commits of others. Where the count moved, what is kept in memory is read anew and whoever is
//! concerned is announced, within a second altogether.

use std::time::Duration;

use rusqlite::Connection;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::{Accounts, Revocation, StoreError};
use crate::clock;
use crate::shutdown::Shutdown;

/// How often the count is looked at: a few microseconds each time, and half of what revocation may take (SPEC §2).
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Accounts {
    /// Follows other processes until the end begins.
    pub fn follow(&self, shutdown: &Shutdown) {
        let (accounts, over) = (self.clone(), shutdown.token());
        shutdown.spawn(async move {
            let mut seen = None;
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = over.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                match accounts.catch_up(&mut seen).await {
                    Ok(()) => {}
                    Err(StoreError::Closed) => return,
                    Err(error) => warn!(%error, "changes by other processes could not be read"),
                }
            }
        });
    }

    async fn catch_up(&self, seen: &mut Option<i64>) -> Result<(), StoreError> {
        let version = self.database.run(|connection| data_version(connection)).await?;
        if *seen == Some(version) {
            return Ok(());
        }
        let standings = self.standings.clone();
        // Read and kept in one job: what this process changes in between comes before or after it, whole.
        let concerned = self
            .database
            .run(move |connection| standings.reload(connection, clock::unix_ms()))
            .await?;
        *seen = Some(version);
        for user in concerned {
            info!(user = user.as_str(), "changed by another process");
            self.announce(Revocation::User(user));
        }
        Ok(())
    }
}

/// Changes whenever another connection commits, and never by commits of this one.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

//! Stopping: said once, heard by every task, and over within a time limit (SPEC §5).

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// From the signal to the exit. Connections that do not end by themselves in this time are cut.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(9);

/// A handle on the end of the server; clones are the same one.
///
/// Tasks that must finish before the process exits are spawned through [`Shutdown::spawn`] and end by
/// themselves when [`Shutdown::begun`] resolves: a connection tells its peer and drains, a writer flushes.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    begun: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Begins the end. Calling it again changes nothing.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Whether the end has begun: nothing new is taken in.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Resolves when the end begins, at once if it has.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// A token that is cancelled when the end begins, for code that is given one.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Runs a task that the end waits for.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// Waits until every task is done, `limit` at most; false if some were not.
    pub async fn finished(&self, limit: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_tasks_that_drain_and_not_for_those_that_hang() {
        let shutdown = Shutdown::default();
        let draining = shutdown.clone();
        shutdown.spawn(async move {
            draining.begun().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        });
        assert!(!shutdown.has_begun());
        shutdown.begin();
        assert!(shutdown.has_begun());
        assert!(shutdown.finished(SHUTDOWN_LIMIT).await);
        shutdown.spawn(std::future::pending::<()>());
        assert!(!shutdown.finished(SHUTDOWN_LIMIT).await);
    }
}

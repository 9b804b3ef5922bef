//! `/api/v1/users/{id}/data`: everything that is kept about a user, told or erased (SPEC §8).
//!
//! Told and erased are the account, the member lists, the files, read positions, messages with their edits and
//! reactions, what was published into the user's own channels, and who sent which crash report. Two things are told
//! and stay: what the user typed into documents, which are not whole without it, and the audit log, which nothing
//! changes, because it is there for the day on which somebody denies an act. It ends with its own retention.

mod erased;
mod export;

use std::sync::Arc;

use bmt_server_core::channel::Traced;
use bmt_shared::id::UserId;
use bmt_shared::namespace::Access;

use crate::http::control::Control;
use crate::serve::MESSAGES_FILE;

pub(in crate::http) use erased::Erased;
pub(super) use erased::delete;
pub(super) use export::get;

/// Messages that are read at once.
const PAGE: u32 = 256;

/// The message database.
fn messages(control: &Control) -> std::path::PathBuf {
    control.node.current().config.store.data_dir.join(MESSAGES_FILE)
}

/// Whose data it is, and which channels are this user's alone.
fn traced(control: &Control, id: &str) -> Arc<Traced> {
    let now = control.node.current();
    let namespaces = now.config.namespaces.iter();
    let inboxes = namespaces
        .filter(|(_, namespace)| namespace.subscribe == Access::Owner)
        .map(|(name, _)| format!("{name}:{id}"));
    Arc::new(Traced {
        user: UserId::new(id),
        inboxes: inboxes.collect(),
    })
}

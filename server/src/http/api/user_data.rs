//! `/api/v1/users/{id}/data`: everything that is kept about a user, told or erased (SPEC §8).
//!
//! Told and erased are the account, the member lists, the files, and what is on the disk of messages and read
//! positions. Messages that are kept in memory alone end with their channel; the audit log stays.

mod erased;
mod export;

use bmt_shared::id::UserId;

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

fn user(id: &str) -> UserId {
    UserId::new(id)
}

//! Where a session asks for what a member list says of its user.

use std::fmt;

use bmt_shared::id::UserId;
use bmt_shared::permission::Membership;

/// The member lists. Asked for every request on a private channel or a document, so it answers from memory.
pub trait Memberships: fmt::Debug + Send + Sync {
    /// What the list kept under `key` says of the user; `key` is what [`bmt_shared::permission::listed_as`] answers.
    fn of(&self, key: &str, user: &UserId) -> Membership;
}

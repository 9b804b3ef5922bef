//! Who made which channel or document, and whom its owner let in (SPEC §3).
//!
//! A list stands for one private channel, or for all channels of one document; what it is kept under is what
//! [`bmt_shared::permission::listed_as`] answers. What having one means, and having none, is said at
//! [`Membership`](bmt_shared::permission::Membership): a private channel without a list is closed, a document
//! without one is open. So a document's list outlives it: deleting leaves a closed list without members behind,
//! which whoever deleted it, or an administrator, may fill again.
//!
//! [`Members`] is a handle: cheap to clone, every method may be called from any task. Changes are made on one
//! thread in the order in which they come, on disk first, then in memory, and are then told to those who keep
//! subscriptions. Requests are admitted from memory ([`Members::memberships`]).

mod act;
mod error;
mod list;
mod schema;
mod table;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use bmt_server_core::session::Memberships;
use bmt_shared::id::UserId;
use tokio::sync::broadcast;

use crate::database::{OpenError, Why, Worker};
use schema::SCHEMA;
use table::Table;

pub use error::MembersError;
pub use list::{List, Member, MemberRole};

/// Lists of one node. Everything is in memory, some 200 bytes a list and 100 an entry.
pub const LISTS: usize = 100_000;
/// Entries of all lists together: some 100 MB.
pub const ENTRIES: usize = 1_000_000;
/// Members of one list. A larger circle is a namespace of its own, or holds a capability.
pub const MEMBERS_PER_LIST: usize = 1_000;
/// Lists of which one user is an owner, those it deleted included: one user does not fill the store.
pub const LISTS_PER_OWNER: usize = 1_000;
/// Changes that a slow listener may be behind before it is told that it missed some.
const CHANGES: usize = 1_024;

/// Who wants a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user_id: UserId,
    /// Whether it may change lists of others.
    pub is_admin: bool,
}

/// Rights that have changed: whoever keeps subscriptions decides about them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What the list is kept under.
    pub key: Arc<str>,
    /// Whose rights; all users' where it is none.
    pub user: Option<UserId>,
}

/// See the [module](self).
#[derive(Clone)]
pub struct Members {
    table: Arc<Table>,
    writer: Worker,
    changes: broadcast::Sender<Change>,
}

impl Members {
    /// Opens the database at `path`, making or migrating it, and reads all of it. Blocks: call it before serving.
    ///
    /// # Errors
    /// Where the file cannot be used, or a newer version of the server wrote it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let open = || {
            let connection = SCHEMA.open(path)?;
            Ok(Self {
                table: Arc::new(Table::load(&connection)?),
                writer: Worker::start("members", connection).map_err(Why::Thread)?,
                changes: broadcast::Sender::new(CHANGES),
            })
        };
        open().map_err(|why| OpenError::new(path, why))
    }

    /// What sessions ask.
    #[must_use]
    pub fn memberships(&self) -> Arc<dyn Memberships> {
        self.table.clone()
    }

    /// Every change from now on. A listener that lags decides again about everything it keeps.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Whether there is a list, an emptied one included, of which this says nothing but that the name is taken.
    #[must_use]
    pub fn is_listed(&self, key: &str) -> bool {
        self.table.get(key, |list| list.is_some())
    }

    /// Makes a list: whoever makes it owns it. `members` stand in it besides; in a direct conversation all are
    /// writers and nobody owns it. Answers the list and whether it is new: making it again is no fault.
    ///
    /// Whether the name may be taken at all is for the caller to decide: a channel with messages in it is not
    /// for the first who asks.
    ///
    /// # Errors
    /// [`MembersError::Denied`] where there is one of others, [`MembersError::Full`] at a limit.
    pub async fn create(
        &self,
        key: &str,
        title: Option<String>,
        members: Vec<(UserId, MemberRole)>,
        by: &Actor,
        now_ms: u64,
    ) -> Result<(List, bool), MembersError> {
        let (key, by) = (key.to_owned(), by.clone());
        self.act(move |act| act.create(&key, title, &members, &by, now_ms))
            .await
    }

    /// Lets a user in, or changes its role. Answers its entry.
    ///
    /// # Errors
    /// [`MembersError::Denied`] for all but the owners and administrators, [`MembersError::LastOwner`] where
    /// nobody would own the list any more, [`MembersError::Direct`] for direct conversations,
    /// [`MembersError::Full`] at a limit.
    pub async fn put(
        &self,
        key: &str,
        user: &UserId,
        role: MemberRole,
        by: &Actor,
        now_ms: u64,
    ) -> Result<Member, MembersError> {
        let (key, user, by) = (key.to_owned(), user.clone(), by.clone());
        self.act(move |act| act.put(&key, &user, role, &by, now_ms)).await
    }

    /// Takes a user out. Everybody may take itself out. A user who does not stand in the list is no fault.
    ///
    /// # Errors
    /// As for [`Self::put`].
    pub async fn remove(&self, key: &str, user: &UserId, by: &Actor) -> Result<(), MembersError> {
        let (key, user, by) = (key.to_owned(), user.clone(), by.clone());
        self.act(move |act| act.remove(&key, &user, &by)).await
    }

    /// Empties the list for good; see the [module](self) for what stays.
    ///
    /// # Errors
    /// As for [`Self::put`].
    pub async fn delete(&self, key: &str, by: &Actor) -> Result<(), MembersError> {
        let (key, by) = (key.to_owned(), by.clone());
        self.act(move |act| act.delete(&key, &by)).await
    }

    /// Takes a user out of all lists, its direct conversations included: the account is erased. A list whose last
    /// owner goes stays, for its members and for administrators.
    ///
    /// # Errors
    /// Where the store refuses.
    pub async fn forget(&self, user: &UserId) -> Result<(), MembersError> {
        let user = user.clone();
        self.act(move |act| act.forget(&user)).await
    }

    /// The whole list, for those who stand in it and for administrators.
    ///
    /// # Errors
    /// [`MembersError::Denied`] for all others, whether there is a list or not; [`MembersError::NoList`] for
    /// administrators where there is none.
    pub fn get(&self, key: &str, by: &Actor) -> Result<List, MembersError> {
        self.table.get(key, |list| act::readable(list, by).cloned())
    }

    /// The lists in which a user stands, in the order of their keys.
    #[must_use]
    pub fn of_user(&self, user: &UserId) -> Vec<(Arc<str>, List)> {
        self.table.of_user(user)
    }

    /// Runs a change on the writer's thread.
    async fn act<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut act::Act<'_>) -> Result<T, MembersError> + Send + 'static,
    ) -> Result<T, MembersError> {
        let (table, changes) = (self.table.clone(), self.changes.clone());
        self.writer
            .run(move |connection| change(&mut act::Act::new(connection, &table, &changes)))
            .await
            .unwrap_or(Err(MembersError::Closed))
    }
}

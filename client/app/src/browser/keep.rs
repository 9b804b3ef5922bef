//! What this browser keeps: settings, who was signed in, and per user the joined channels, drafts and refused
//! messages. One user never sees what another left.
//!
//! The queue of messages is not here: `bmt-client-web` keeps it.

use bmt_shared::channel::ChannelName;
use bmt_shared::id::{MessageId, UserId};
use gloo_storage::{LocalStorage, Storage};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::state::channels::Remembered;

/// The theme; index.html reads it too.
pub(crate) const THEME: &str = "bmt:theme";
/// The language; index.html reads it too.
pub(crate) const LANGUAGE: &str = "bmt:language";
/// The id of who is signed in: that there is a session, for the next start and for other tabs. The session
/// itself is a cookie that no script sees. index.html reads it too.
pub(crate) const SESSION: &str = "bmt:session";

/// The name that was last signed in with: asked for again, it is filled in.
pub(crate) const USERNAME: &str = "bmt:username";

/// Whether the browser keeps anything: in private modes it may refuse.
pub(crate) fn is_available() -> bool {
    web_sys::window().is_some_and(|window| matches!(window.local_storage(), Ok(Some(_))))
}

/// Reads a value; none where there is none or it is not what was written.
pub(crate) fn get<T: DeserializeOwned>(key: &str) -> Option<T> {
    is_available().then(|| LocalStorage::get(key).ok()).flatten()
}

/// Writes a value; answers whether the browser took it.
pub(crate) fn set<T: Serialize>(key: &str, value: &T) -> bool {
    is_available() && LocalStorage::set(key, value).is_ok()
}

/// Forgets a value.
pub(crate) fn forget(key: &str) {
    if is_available() {
        LocalStorage::delete(key);
    }
}

/// The channels a user joined here.
pub(crate) fn channels(user: &UserId) -> Option<Vec<Remembered>> {
    get(&format!("bmt:channels:{user}"))
}

/// Remembers the channels a user joined.
pub(crate) fn set_channels(user: &UserId, channels: &[Remembered]) {
    set(&format!("bmt:channels:{user}"), &channels);
}

/// The channel a user had open last.
pub(crate) fn last_open(user: &UserId) -> Option<ChannelName> {
    get(&format!("bmt:open:{user}"))
}

/// Remembers the open channel.
pub(crate) fn set_last_open(user: &UserId, topic: &ChannelName) {
    set(&format!("bmt:open:{user}"), topic);
}

fn draft_key(user: &UserId, topic: &ChannelName) -> String {
    format!("bmt:draft:{user}:{topic}")
}

/// What a user began to write in a channel.
pub(crate) fn draft(user: &UserId, topic: &ChannelName) -> String {
    get(&draft_key(user, topic)).unwrap_or_default()
}

/// Keeps what a user began to write; nothing where it is empty.
pub(crate) fn set_draft(user: &UserId, topic: &ChannelName, text: &str) {
    let key = draft_key(user, topic);
    if text.is_empty() {
        forget(&key);
    } else {
        set(&key, &text);
    }
}

/// A message that was refused and is neither sent again nor deleted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// Its channel.
    pub(crate) topic: ChannelName,
    /// The client-made id, kept for another try.
    pub(crate) id: MessageId,
    /// Its text.
    pub(crate) text: String,
    /// When it was written, ms since the Unix epoch.
    pub(crate) at: u64,
    /// Why it was refused: a code.
    pub(crate) code: String,
}

fn refused_key(user: &UserId) -> String {
    format!("bmt:refused:{user}")
}

/// A user's refused messages, oldest first.
pub(crate) fn refused(user: &UserId) -> Vec<Refused> {
    get(&refused_key(user)).unwrap_or_default()
}

/// Keeps a refused message.
pub(crate) fn add_refused(user: &UserId, message: Refused) {
    let mut all = refused(user);
    all.retain(|other| other.id != message.id);
    all.push(message);
    set(&refused_key(user), &all);
}

/// Forgets a refused message: it was sent, taken back into the composer, or deleted.
pub(crate) fn remove_refused(user: &UserId, id: &MessageId) {
    let mut all = refused(user);
    let before = all.len();
    all.retain(|other| other.id != *id);
    if all.len() != before {
        set(&refused_key(user), &all);
    }
}

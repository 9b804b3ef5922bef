//! What a subscriber gets of the past: all that was missed, or the newest page and the reason (SPEC §4).

use std::sync::Arc;

use bmt_shared::limits::{RECOVERY_BYTES, RECOVERY_MESSAGES, REPLY_ATTACHMENTS};
use bmt_shared::message::Message;
use bmt_shared::position::Seq;
use bmt_shared::reply::{NotRecovered, Subscribed};

use super::entry::Entry;
use super::filter::{Fields, Filter};
use super::read::{Page, Range, Read};

/// A subscription that is in place, with its reply or with what is still to be read for it.
#[derive(Debug)]
pub enum Subscribing {
    /// The reply is complete.
    Ready(Subscribed),
    /// The reply needs [`Cold::read`]. Live messages may already follow, so its place must be held.
    Cold(Box<Cold>),
}

/// A reply to `subscribe` that waits for its history.
#[derive(Debug)]
pub struct Cold {
    pub(super) wanted: Wanted,
    pub(super) read: Read,
    /// The reply without a past.
    pub(super) reply: Subscribed,
    pub(super) filter: Filter,
    /// The newest page: stands in where nothing better comes.
    pub(super) newest: Vec<Arc<Entry>>,
    /// The oldest seq as far as the channel knows.
    pub(super) oldest: Seq,
}

/// What of the past is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All messages above this one.
    Since(Seq),
    /// Only where the history begins: it is known already that there is no recovery, and why.
    Oldest(NotRecovered),
    /// The newest messages.
    Newest,
}

impl Wanted {
    /// The read that answers it, of a channel whose newest message is `top`.
    pub(super) fn bound(self, read: Read, top: Seq, newest: usize) -> Read {
        let (range, messages) = match self {
            Self::Since(after) => (Range::Up { after, through: top }, RECOVERY_MESSAGES),
            Self::Oldest(_) => (
                Range::Up {
                    after: 0,
                    through: top,
                },
                1,
            ),
            Self::Newest => (Range::Down { below: top + 1 }, newest),
        };
        Read {
            range,
            messages,
            bytes: RECOVERY_BYTES,
            ..read
        }
    }
}

impl Cold {
    /// What to read.
    #[must_use]
    pub fn read(&self) -> &Read {
        &self.read
    }

    /// Completes the reply. `None` is a history that could not be read: then the newest page that is in memory is
    /// answered as `limit`, and the client pages the rest when the history is back.
    #[must_use]
    pub fn finish(self, page: Option<&Page>) -> Subscribed {
        let now_ms = self.read.now_ms;
        let Some(page) = page.filter(|page| page.epoch == self.reply.epoch) else {
            let reason = match (self.wanted, page) {
                (Wanted::Newest, _) => return with_newest(self.reply, &self.newest),
                (Wanted::Oldest(reason), _) => reason,
                (Wanted::Since(_), None) => NotRecovered::Limit,
                (Wanted::Since(_), Some(_)) => NotRecovered::EpochChanged,
            };
            return not_recovered(self.reply, reason, self.oldest, &self.newest);
        };
        let reason = match self.wanted {
            Wanted::Newest => {
                let newest_first = page.entries.iter().rev();
                let newest = newest_page(newest_first, &self.filter, self.read.messages, now_ms);
                return with_newest(self.reply, &newest);
            }
            Wanted::Oldest(reason) => reason,
            Wanted::Since(since) if page.oldest > since + 1 => NotRecovered::Trimmed,
            Wanted::Since(_) if page.more => NotRecovered::Limit,
            Wanted::Since(_) if !fits_in_parts(page.entries.iter(), &self.filter, now_ms) => {
                NotRecovered::Limit
            }
            Wanted::Since(since) => {
                return recovered(self.reply, since, page.entries.iter(), &self.filter, now_ms);
            }
        };
        not_recovered(self.reply, reason, page.oldest, &self.newest)
    }
}

/// Whether what is wanted of these has no more binary parts than one reply may have.
pub(super) fn fits_in_parts<'a>(
    entries: impl Iterator<Item = &'a Arc<Entry>>,
    filter: &Filter,
    now_ms: u64,
) -> bool {
    let parts = entries
        .filter(|entry| !entry.message.payload.attachments().is_empty() && is_wanted(entry, filter, now_ms))
        .map(|entry| entry.message.payload.attachments().len());
    parts.sum::<usize>() <= REPLY_ATTACHMENTS
}

/// All that was missed since `since`.
pub(super) fn recovered<'a>(
    mut reply: Subscribed,
    since: Seq,
    missed: impl Iterator<Item = &'a Arc<Entry>>,
    filter: &Filter,
    now_ms: u64,
) -> Subscribed {
    let mut covered = since;
    reply.recovered = Some(true);
    reply.messages = missed
        .filter(|entry| is_wanted(entry, filter, now_ms))
        .map(|entry| {
            let prev = (covered + 1 != entry.seq()).then_some(covered);
            covered = entry.seq();
            entry.message_after(prev)
        })
        .collect();
    reply
}

/// The newest page, and why it is not all that was missed.
pub(super) fn not_recovered(
    mut reply: Subscribed,
    reason: NotRecovered,
    oldest: Seq,
    newest: &[Arc<Entry>],
) -> Subscribed {
    reply.recovered = Some(false);
    reply.reason = Some(reason);
    reply.oldest_seq = Some(oldest);
    with_newest(reply, newest)
}

/// The newest messages, without any promise about those before.
pub(super) fn with_newest(mut reply: Subscribed, newest: &[Arc<Entry>]) -> Subscribed {
    reply.messages = newest.iter().map(|entry| plain(entry)).collect();
    reply
}

/// Whether the message may still be delivered, and is asked for.
pub(super) fn is_wanted(entry: &Entry, filter: &Filter, now_ms: u64) -> bool {
    !entry.is_expired(now_ms) && filter.wants(&mut Fields::of(&entry.message.payload))
}

/// A message in a page: nothing is said about what came before it.
pub(super) fn plain(entry: &Entry) -> Message {
    entry.message_after(None)
}

/// The newest of `newest_first`, at most so many and no more than one reply may hold; ascending.
pub(super) fn newest_page<'a>(
    newest_first: impl Iterator<Item = &'a Arc<Entry>>,
    filter: &Filter,
    messages: usize,
    now_ms: u64,
) -> Vec<Arc<Entry>> {
    let (mut bytes, mut attachments) = (0, 0);
    let mut page: Vec<_> = newest_first
        .filter(|entry| is_wanted(entry, filter, now_ms))
        .take(messages)
        .take_while(|entry| {
            bytes += entry.size_bytes();
            attachments += entry.message.payload.attachments().len();
            bytes <= RECOVERY_BYTES && attachments <= REPLY_ATTACHMENTS
        })
        .cloned()
        .collect();
    page.reverse();
    page
}

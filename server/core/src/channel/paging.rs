//! A page of a channel's history: from the tail where it reaches, else from the store (SPEC §4).

use std::sync::Arc;

use bmt_shared::limits::{BATCH_REPLY_BYTES, REPLY_ATTACHMENTS};
use bmt_shared::position::{Epoch, Seq};
use bmt_shared::reply::HistoryPage;
use bmt_shared::request::HistoryRange;

use super::entry::Entry;
use super::read::{Page, Range, Read};
use super::recovery::plain;

/// Most bytes of one page: 200 messages of the largest size would not fit into a connection's outbox.
pub const PAGE_BYTES: usize = BATCH_REPLY_BYTES;

/// The answer to `history`, or what is still to be read for it.
#[derive(Debug)]
pub enum Paging {
    /// The page.
    Ready(HistoryPage),
    /// The page is in the store.
    Cold(ColdPage),
}

/// A page that waits for the store.
#[derive(Debug)]
pub struct ColdPage {
    pub(super) read: Read,
    pub(super) top: Seq,
}

impl ColdPage {
    /// What to read.
    #[must_use]
    pub fn read(&self) -> &Read {
        &self.read
    }

    /// Completes the page.
    #[must_use]
    pub fn finish(self, page: &Page) -> HistoryPage {
        let entries = match self.read.range {
            Range::Up { .. } => &page.entries[..fitting(page.entries.iter())],
            Range::Down { .. } => &page.entries[page.entries.len() - fitting(page.entries.iter().rev())..],
        };
        HistoryPage {
            messages: entries.iter().map(|entry| plain(entry)).collect(),
            seq: self.top,
            epoch: page.epoch.clone(),
            has_more: page.more || entries.len() < page.entries.len(),
        }
    }
}

/// How many of these, one at least, have no more binary parts together than a reply may.
fn fitting<'a>(entries: impl ExactSizeIterator<Item = &'a Arc<Entry>>) -> usize {
    let least = entries.len().min(1);
    let mut attachments = 0;
    let fit = entries.take_while(|entry| {
        attachments += entry.message.payload.attachments().len();
        attachments <= REPLY_ATTACHMENTS
    });
    fit.count().max(least)
}

/// The range of the store that a client's range means where `top` is the newest message told to anyone.
pub(super) fn range(range: HistoryRange, top: Seq) -> Range {
    match range {
        HistoryRange::Newest => Range::Down { below: top + 1 },
        HistoryRange::Before(seq) => Range::Down {
            below: seq.min(top + 1),
        },
        HistoryRange::After(after) => Range::Up { after, through: top },
    }
}

/// Cuts a page out of the tail; `None` where it needs older messages than the tail has. `reaches_oldest` says
/// that nothing older is kept at all.
pub(super) fn from_tail<'a, I>(
    read: &Read,
    candidates: I,
    reaches_oldest: bool,
    (epoch, top): (&Epoch, Seq),
) -> Option<HistoryPage>
where
    I: DoubleEndedIterator<Item = &'a Arc<Entry>>,
{
    let living = candidates.filter(|entry| !entry.is_expired(read.now_ms));
    let (mut taken, more) = match read.range {
        Range::Up { .. } => bounded(living, read),
        Range::Down { .. } => bounded(living.rev(), read),
    };
    if let Range::Down { .. } = read.range {
        if !more && !reaches_oldest {
            return None;
        }
        taken.reverse();
    }
    Some(HistoryPage {
        messages: taken.into_iter().map(plain).collect(),
        seq: top,
        epoch: epoch.clone(),
        has_more: more,
    })
}

fn bounded<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>, read: &Read) -> (Vec<&'a Entry>, bool) {
    let (mut bytes, mut attachments) = (0, 0);
    let mut taken: Vec<&Entry> = Vec::new();
    for entry in entries {
        bytes += entry.size_bytes();
        attachments += entry.message.payload.attachments().len();
        let is_too_much = bytes > read.bytes || attachments > REPLY_ATTACHMENTS;
        if taken.len() == read.messages || (is_too_much && !taken.is_empty()) {
            return (taken, true);
        }
        taken.push(entry);
    }
    (taken, false)
}

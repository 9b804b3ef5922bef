//! The messages of one channel that the app holds: a window of its history, and what waits to be sent.
//!
//! Invariant: `sent` ascends by seq and has no hole the reader was not told of; at most [`MAX_ROWS`] rows are
//! held. What no longer fits is dropped at the far end from the reader and loaded again when the reader comes
//! there, so the cost of a channel does not grow with its length.

pub(crate) mod edge;
pub(crate) mod items;

use std::sync::Arc;

use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::message::Message;
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Seq};

use super::row::{Row, RowKey, RowState, key_of};
use edge::Edge;

/// Most rows of one channel: enough to scroll through, few enough that the page stays quick (UX "Timeline").
pub(crate) const MAX_ROWS: usize = 400;
/// Messages in the first page and in each page that scrolling loads.
pub(crate) const PAGE_ROWS: usize = 60;

/// The window of one channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    sent: Vec<Row>,
    pending: Vec<Row>,
    epoch: Option<Epoch>,
    /// What lies before the window.
    pub(crate) older: Edge,
    /// What lies behind it; [`Edge::End`] where live messages follow without a hole.
    pub(crate) newer: Edge,
    /// Whether the reader sees the newest message.
    pub(crate) at_bottom: bool,
    /// The last seq read when the reader came: the line is drawn behind it.
    pub(crate) unread_after: Option<Seq>,
    /// Messages of others that came while the reader was further up.
    pub(crate) below: u64,
    /// Whether what lies before the window is lost, not only not loaded.
    pub(crate) gap: bool,
}

/// A page of messages, ascending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page<'a> {
    /// The messages.
    pub(crate) messages: &'a [Message<Payload>],
    /// Whether there are more in the direction that was asked for.
    pub(crate) has_more: bool,
}

impl Timeline {
    /// A window of which nothing is known, whose reader waits for the newest.
    #[must_use]
    pub(crate) fn at_newest() -> Self {
        Self {
            at_bottom: true,
            ..Self::default()
        }
    }

    /// Rows with a number, ascending.
    #[must_use]
    pub(crate) fn sent(&self) -> &[Row] {
        &self.sent
    }

    /// Rows that wait or were refused, in the order they were written.
    #[must_use]
    pub(crate) fn pending(&self) -> &[Row] {
        &self.pending
    }

    /// Whether a first page has come.
    #[must_use]
    pub(crate) fn is_loaded(&self) -> bool {
        self.epoch.is_some()
    }

    /// Number of the first message in the window.
    #[must_use]
    pub(crate) fn oldest(&self) -> Option<Seq> {
        self.sent.first().and_then(|row| row.seq)
    }

    /// Number of the last message in the window.
    #[must_use]
    pub(crate) fn newest(&self) -> Option<Seq> {
        self.sent.last().and_then(|row| row.seq)
    }

    /// A live message, or one that was missed while away. Answers whether it is news.
    pub(crate) fn take(&mut self, message: &Message<Payload>, me: &UserId) -> bool {
        let own = message.from == *me;
        let was_pending = self.settle_key(&key_of(message, me));
        let place = match self.sent.binary_search_by_key(&Some(message.seq), |row| row.seq) {
            Ok(_) => return false,
            Err(place) => place,
        };
        let behind_window = place == self.sent.len() && self.newer != Edge::End;
        let before_window = place == 0 && !self.sent.is_empty();
        if !own && !self.at_bottom && !before_window {
            self.below += 1;
        }
        if behind_window || before_window {
            return true;
        }
        let mut row = Row::delivered(message, me);
        if let Some(pending) = was_pending {
            row.key = pending.key;
        }
        self.sent.insert(place, row);
        self.trim();
        true
    }

    /// A row for what was written just now.
    pub(crate) fn write(&mut self, row: Row) {
        self.pending.retain(|other| other.key != row.key);
        self.pending.push(row);
    }

    /// The server stored an own message.
    pub(crate) fn settle(&mut self, own: &MessageId, id: &ServerMessageId, seq: Seq) {
        let Some(mut row) = self.settle_key(&RowKey::Own(own.clone())) else {
            return;
        };
        row.id = Some(id.clone());
        row.seq = Some(seq);
        row.state = RowState::Sent;
        if let Err(place) = self.sent.binary_search_by_key(&Some(seq), |row| row.seq)
            && self.newer == Edge::End
        {
            self.sent.insert(place, row);
            self.trim();
        }
    }

    /// An own message was refused.
    pub(crate) fn fail(&mut self, own: &MessageId, code: &str) {
        self.change_pending(own, RowState::Failed(Arc::from(code)));
    }

    /// A refused message is tried again under the same id.
    pub(crate) fn retry(&mut self, own: &MessageId) {
        self.change_pending(own, RowState::Sending);
    }

    /// Drops a row that was not sent; answers its text.
    pub(crate) fn discard(&mut self, own: &MessageId) -> Option<Arc<str>> {
        let row = self.settle_key(&RowKey::Own(own.clone()))?;
        Some(Arc::from(row.body.as_str()))
    }

    /// Looks up a row that waits or was refused.
    #[must_use]
    pub(crate) fn pending_row(&self, own: &MessageId) -> Option<&Row> {
        let key = RowKey::Own(own.clone());
        self.pending.iter().find(|row| row.key == key)
    }

    /// The newest page, in place of whatever was there; where `position` is of another epoch, too.
    pub(crate) fn replace(&mut self, page: Page<'_>, epoch: &Epoch, me: &UserId) {
        self.sent.clear();
        self.epoch = Some(epoch.clone());
        self.older = Edge::more_or_end(page.has_more);
        self.newer = Edge::End;
        self.below = 0;
        self.extend(page.messages, me);
        self.trim();
    }

    /// An older page. A page of another epoch is of no use here: the live stream will say so.
    pub(crate) fn prepend(&mut self, page: Page<'_>, epoch: &Epoch, me: &UserId) {
        if self.epoch.as_ref() != Some(epoch) {
            return;
        }
        self.older = Edge::more_or_end(page.has_more);
        self.extend(page.messages, me);
        if self.sent.len() > MAX_ROWS {
            self.sent.truncate(MAX_ROWS);
            self.newer = Edge::More;
        }
    }

    /// A newer page, where the window does not reach the live stream.
    pub(crate) fn append(&mut self, page: Page<'_>, epoch: &Epoch, me: &UserId) {
        if self.epoch.as_ref() != Some(epoch) {
            return;
        }
        self.newer = Edge::more_or_end(page.has_more);
        self.extend(page.messages, me);
        self.drop_oldest();
    }

    /// What is held ends at a hole: nothing of it is known any more.
    pub(crate) fn lose(&mut self) {
        self.sent.clear();
        self.epoch = None;
        self.older = Edge::More;
        self.newer = Edge::More;
        self.gap = true;
        self.at_bottom = true;
        self.below = 0;
    }

    /// Whether a row of this own message is there, waiting or sent.
    #[must_use]
    pub(crate) fn holds(&self, own: &MessageId) -> bool {
        let key = RowKey::Own(own.clone());
        self.pending.iter().chain(&self.sent).any(|row| row.key == key)
    }

    /// The reader came to the newest message.
    pub(crate) fn reach_bottom(&mut self) {
        self.at_bottom = true;
        self.below = 0;
    }

    fn extend(&mut self, messages: &[Message<Payload>], me: &UserId) {
        for message in messages {
            let pending = self.settle_key(&key_of(message, me));
            if let Err(place) = self.sent.binary_search_by_key(&Some(message.seq), |row| row.seq) {
                let mut row = Row::delivered(message, me);
                if let Some(pending) = pending {
                    row.key = pending.key;
                }
                self.sent.insert(place, row);
            }
        }
    }

    fn settle_key(&mut self, key: &RowKey) -> Option<Row> {
        let place = self.pending.iter().position(|row| row.key == *key)?;
        Some(self.pending.remove(place))
    }

    fn change_pending(&mut self, own: &MessageId, state: RowState) {
        let key = RowKey::Own(own.clone());
        if let Some(row) = self.pending.iter_mut().find(|row| row.key == key) {
            row.state = state;
        }
    }

    /// Drops at the far end from the reader.
    fn trim(&mut self) {
        if self.at_bottom {
            self.drop_oldest();
        } else if self.sent.len() > MAX_ROWS {
            self.sent.truncate(MAX_ROWS);
            self.newer = Edge::More;
        }
    }

    fn drop_oldest(&mut self) {
        let excess = self.sent.len().saturating_sub(MAX_ROWS);
        if excess > 0 {
            self.sent.drain(..excess);
            self.older = Edge::More;
        }
    }
}

#[cfg(test)]
mod tests;

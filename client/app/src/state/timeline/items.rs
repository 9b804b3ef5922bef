//! From rows to what is drawn: days, groups of one author, the line before the unread.

use bmt_shared::id::UserId;

use super::Timeline;
use crate::state::body::Body;
use crate::state::row::{Row, RowKey, RowState};

/// Messages of one author within this time form a group, ms.
const GROUP_MS: u64 = 5 * 60 * 1_000;

/// Days since the Unix epoch in the reader's time zone.
pub(crate) type Day = i64;

/// Something drawn in a timeline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// A day begins; and a time within it, ms since the Unix epoch.
    Day(Day, u64),
    /// A message.
    Message(Shown),
}

/// Names an item for as long as it is on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ItemKey {
    /// A day separator.
    Day(Day),
    /// A message's row.
    Row(RowKey),
}

/// A row with what its neighbours make of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// The row.
    pub(crate) row: Row,
    /// Whether it opens a group: then it shows its author.
    pub(crate) leads: bool,
    /// Whether the reader wrote it.
    pub(crate) own: bool,
    /// Whether it is the first that was not read.
    pub(crate) first_unread: bool,
}

impl Item {
    /// Its key.
    #[must_use]
    pub(crate) fn key(&self) -> ItemKey {
        match self {
            Self::Day(day, _) => ItemKey::Day(*day),
            Self::Message(shown) => ItemKey::Row(shown.row.key.clone()),
        }
    }
}

impl Timeline {
    /// Everything to draw, oldest first. `day_of` tells a time's local day.
    pub(crate) fn items(&self, me: &UserId, day_of: impl Fn(u64) -> Day) -> Vec<Item> {
        let mut items = Vec::with_capacity(self.sent.len() + self.pending.len() + 4);
        let mut previous: Option<(&Row, Day)> = None;
        let mut unread_drawn = false;
        for row in self.sent.iter().chain(&self.pending) {
            let day = day_of(row.at);
            // A clock that runs behind must not open yesterday again below today.
            let day = previous.map_or(day, |(_, before)| day.max(before));
            if previous.is_none_or(|(_, before)| before != day) {
                items.push(Item::Day(day, row.at));
            }
            let own = row.from == *me;
            let unread = match (self.unread_after, row.seq) {
                (Some(after), Some(seq)) => seq > after && !own,
                _ => false,
            };
            let first_unread = unread && !unread_drawn;
            unread_drawn |= unread;
            let follows =
                previous.is_some_and(|(before, that_day)| that_day == day && continues(before, row));
            items.push(Item::Message(Shown {
                row: row.clone(),
                leads: !follows || first_unread,
                own,
                first_unread,
            }));
            previous = Some((row, day));
        }
        items
    }
}

fn continues(before: &Row, row: &Row) -> bool {
    let spoken = |row: &Row| !matches!(row.body, Body::System(_));
    before.from == row.from
        && row.at.abs_diff(before.at) < GROUP_MS
        && spoken(before)
        && spoken(row)
        && !matches!(before.state, RowState::Failed(_))
}

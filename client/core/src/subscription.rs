//! One subscribed channel: what was asked, where the reader stands, and what waits behind a gap.

use bmt_shared::limits::RECOVERY_MESSAGES;
use bmt_shared::message::Message;
use bmt_shared::position::{Position, Seq};
use bmt_shared::request::Subscribe;
use bmt_shared::sorted::SortedMap;

use crate::event::RequestId;
use crate::roster::Roster;

/// A channel the application wants.
#[derive(Debug)]
pub(crate) struct Subscription<P> {
    /// What the application asked for; `since` is its starting point, until there is a cursor.
    pub(crate) want: Subscribe,
    /// The last message handed on, or known to need no handing on.
    pub(crate) cursor: Option<Position>,
    pub(crate) standing: Standing,
    /// Messages behind a gap, by seq.
    held: SortedMap<Seq, Message<P>>,
    /// When they have waited long enough, monotonic ms.
    pub(crate) patience_ends: Option<u64>,
    /// Whether it is being restored, or pages towards the live stream: what is held then waits for the answer and for
    /// the pages, however many there are. Each of them has its own time limit.
    pub(crate) is_catching_up: bool,
    /// The server told of a break up to here while an answer was on its way, which may be from before it.
    pub(crate) broken_at: Option<Position>,
    /// Whose `subscribe` has not been answered.
    pub(crate) waiters: Vec<RequestId>,
    /// Refusals in a row that were for the moment only.
    pub(crate) refusals: u32,
    /// It is asked for in a request of its own: a batch with it, or with one beside it, cannot be shared.
    pub(crate) is_alone: bool,
    /// Empty where the face keeps none.
    pub(crate) roster: Roster,
}

/// How a subscription stands on the present connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not asked for yet.
    Wanted,
    /// Asked for, or asked again to fill a gap, by the request with this key, and once more by later ones if its
    /// answer is late.
    Asked(u64),
    /// In place.
    Live,
    /// In place; a page of what was missed comes with this request.
    Paging(u64),
    /// Refused for the moment; due again at this monotonic time.
    Later(u64),
}

/// What to do with a message that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Accepted<P> {
    /// Hand it on.
    Deliver(Message<P>),
    /// It was handed on before.
    Duplicate,
    /// It waits; the one before it is missing.
    Held,
    /// It is of a subscription before this one, which begins at its reply.
    Early(Message<P>),
}

impl<P> Subscription<P> {
    pub(crate) fn new(want: Subscribe) -> Self {
        Self {
            cursor: want.since.clone(),
            want,
            standing: Standing::Wanted,
            held: SortedMap::new(),
            patience_ends: None,
            is_catching_up: false,
            broken_at: None,
            waiters: Vec::new(),
            refusals: 0,
            is_alone: false,
            roster: Roster::default(),
        }
    }

    /// The request that gets or restores it, from where the reader stands.
    pub(crate) fn request(&self, with_since: bool) -> Subscribe {
        let mut request = self.want.clone();
        request.since = self.cursor.clone().filter(|_| with_since);
        if request.since.is_some() {
            request.history = None;
        }
        request
    }

    /// Takes a message of the live stream. One without a seq (0), or from a server that tells no position, passes:
    /// nothing can be told about its order.
    pub(crate) fn accept(&mut self, message: Message<P>, server_tells_positions: bool) -> Accepted<P> {
        if self.cursor.is_none() && server_tells_positions && matches!(self.standing, Standing::Asked(_)) {
            return Accepted::Early(message);
        }
        let Some(cursor) = self.cursor.as_mut().filter(|_| message.seq > 0) else {
            return Accepted::Deliver(message);
        };
        if message.seq <= cursor.seq {
            return Accepted::Duplicate;
        }
        if previous(&message) <= cursor.seq {
            cursor.seq = message.seq;
            return Accepted::Deliver(message);
        }
        self.hold(message);
        Accepted::Held
    }

    /// Keeps a message until what is before it is there. What is beyond the bound is not kept: it is above the cursor,
    /// so a later recovery brings it.
    pub(crate) fn hold(&mut self, message: Message<P>) {
        if self.held.len() < RECOVERY_MESSAGES {
            self.held.insert(message.seq, message);
        }
    }

    /// Takes a message of a recovery or a page, which may skip seqs.
    pub(crate) fn recover(&mut self, message: Message<P>) -> Option<Message<P>> {
        match &mut self.cursor {
            Some(cursor) if message.seq <= cursor.seq => None,
            Some(cursor) => {
                cursor.seq = message.seq;
                Some(message)
            }
            None => Some(message),
        }
    }

    /// Everything up to `position` is dealt with.
    pub(crate) fn advance(&mut self, position: Position) {
        match &mut self.cursor {
            Some(cursor) if cursor.epoch == position.epoch => cursor.seq = cursor.seq.max(position.seq),
            cursor => *cursor = Some(position),
        }
    }

    /// The held messages that follow the cursor now.
    pub(crate) fn release(&mut self) -> Vec<Message<P>> {
        let mut released = Vec::new();
        while let Some((seq, first)) = self.held.first() {
            let cursor = self.cursor.as_ref().map_or(0, |cursor| cursor.seq);
            let is_late = *seq <= cursor;
            if !is_late && previous(first) > cursor {
                break;
            }
            let first = self.held.remove_first().filter(|_| !is_late);
            if let Some(message) = first {
                self.move_cursor(message.seq);
                released.push(message);
            }
        }
        released
    }

    /// All held messages, over whatever is missing between them: each with the position before its gap, where
    /// there is one.
    pub(crate) fn release_all(&mut self) -> Vec<(Option<Position>, Message<P>)> {
        self.stop_waiting();
        let held = std::mem::take(&mut self.held).into_iter();
        let cursor = &mut self.cursor;
        let released = held.map(|(_, message)| {
            let before = cursor.clone().filter(|cursor| previous(&message) > cursor.seq);
            if let Some(cursor) = cursor {
                cursor.seq = cursor.seq.max(message.seq);
            }
            (before, message)
        });
        released.collect()
    }

    /// Whether messages wait.
    pub(crate) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// The connection is gone; what is held will come again with the next recovery.
    pub(crate) fn handle_lost(&mut self) {
        self.standing = Standing::Wanted;
        self.held.clear();
        self.is_catching_up = true;
        self.patience_ends = None;
        self.broken_at = None;
    }

    /// It is asked for by the request with this key. That covers what broke before.
    pub(crate) fn begin_asking(&mut self, key: u64) {
        self.standing = Standing::Asked(key);
        self.broken_at = None;
    }

    /// Whether the answer to the request with this key is the one it waits for.
    pub(crate) fn waits_for(&self, key: u64) -> bool {
        matches!(self.standing, Standing::Asked(first) if first <= key)
    }

    /// Whether an answer is on its way that brings it further.
    pub(crate) fn is_being_answered(&self) -> bool {
        matches!(self.standing, Standing::Asked(_) | Standing::Paging(_))
    }

    /// Whether the server told of a break that nothing has covered since.
    pub(crate) fn is_broken(&self) -> bool {
        let covers = |broken: &Position| {
            let cursor = self.cursor.as_ref();
            cursor.is_some_and(|cursor| cursor.epoch == broken.epoch && cursor.seq >= broken.seq)
        };
        self.broken_at.as_ref().is_some_and(|broken| !covers(broken))
    }

    /// A page of what was missed is asked for.
    pub(crate) fn begin_page(&mut self, key: u64) {
        self.standing = Standing::Paging(key);
        self.is_catching_up = true;
        self.patience_ends = None;
    }

    /// The pages have met the live stream, or lead nowhere: a gap has its usual time again.
    pub(crate) fn stop_waiting(&mut self) {
        self.is_catching_up = false;
        self.patience_ends = None;
    }

    fn move_cursor(&mut self, seq: Seq) {
        if let Some(cursor) = &mut self.cursor {
            cursor.seq = cursor.seq.max(seq);
        }
    }
}

/// The seq that a reader must have reached for the message to follow.
fn previous<P>(message: &Message<P>) -> Seq {
    message.prev.unwrap_or(message.seq.saturating_sub(1))
}

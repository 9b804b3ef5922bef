//! The order, the places and the bounds of an outbox; no lock and no waiting in here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bmt_shared::channel::ChannelName;
use bmt_shared::event::ServerEvent;
use bmt_shared::message::{Message, Priority};
use bmt_shared::reply::{Present, Reply};

use super::skips::Skips;
use super::{Bounds, Encoded, Next, Outgoing};

/// Rough bytes of a reply that carries no messages.
const REPLY_BYTES: usize = 256;
/// Rough bytes of a message beside its payload.
const MESSAGE_BYTES: usize = 256;
/// Rough bytes of one user in a presence list.
const PRESENT_BYTES: usize = 128;
/// Most places that one urgent event passes: a bound on what a push costs.
const MOST_PASSED: usize = 256;

/// Places that an empty outbox keeps memory for.
const PLACES_KEPT: usize = 16;

/// A number that no place has.
const NOWHERE: u64 = u64::MAX;

struct Place {
    /// Numbers ascend; only reserved places are looked up by theirs.
    number: u64,
    content: Content,
}

// Events are many and small here; what else there is, is apart, so that a place takes few bytes.
enum Content {
    /// An event, with the bytes it was counted with.
    Event(Arc<Encoded>, usize),
    /// Something else to send, with its bytes.
    Other(Box<Outgoing>, usize),
    /// Not known yet.
    Reserved,
}

impl Content {
    fn new(outgoing: Outgoing) -> Self {
        let bytes = size_bytes(&outgoing);
        match outgoing {
            Outgoing::Event(event) => Self::Event(event, bytes),
            other => Self::Other(Box::new(other), bytes),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Event(_, bytes) | Self::Other(_, bytes) => *bytes,
            Self::Reserved => 0,
        }
    }

    fn is_low(&self) -> bool {
        matches!(self, Self::Event(event, _) if event.priority() == Priority::Low)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The bound was reached: low-priority events are dropped until half of what waits is sent, so that a
    /// connection at its bound is not searched for them again and again.
    Shedding,
    /// The bound was reached by what may not be dropped; everything that waited is gone.
    Overflowed,
    /// A close is the last thing in the queue.
    Closing,
}

pub(super) struct Queue {
    places: VecDeque<Place>,
    next_number: u64,
    bytes: usize,
    bounds: Bounds,
    state: State,
    /// Messages that were over before they were sent. Most connections never have any.
    skips: Option<Box<Skips>>,
    /// Whom to wake when there is something to send; taken when that is done.
    writer: Option<Waker>,
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            places: VecDeque::new(),
            next_number: 0,
            bytes: 0,
            bounds,
            state: State::Open,
            skips: None,
            writer: None,
        }
    }

    pub(super) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Appends; answers whom to wake for it.
    pub(super) fn push(&mut self, outgoing: Outgoing) -> Option<Waker> {
        match self.state {
            State::Open => {}
            State::Shedding if is_low(&outgoing) => return None,
            State::Shedding => {}
            State::Overflowed | State::Closing => return None,
        }
        if matches!(outgoing, Outgoing::Close(_)) {
            self.state = State::Closing;
        }
        let at = self.place_for(&outgoing);
        let number = self.places.get(at).map_or(self.next_number, |place| place.number);
        let content = Content::new(outgoing);
        self.bytes += content.bytes();
        self.places.insert(at, Place { number, content });
        self.keep_bounds();
        self.take_writer()
    }

    /// Takes the place after everything that waits.
    pub(super) fn reserve(&mut self) -> u64 {
        if matches!(self.state, State::Overflowed | State::Closing) {
            return NOWHERE;
        }
        let number = self.next_number;
        self.next_number += 1;
        let content = Content::Reserved;
        self.places.push_back(Place { number, content });
        number
    }

    /// Puts something into a reserved place, or gives the place up. Answers whom to wake for it.
    pub(super) fn fill(&mut self, number: u64, outgoing: Option<Outgoing>) -> Option<Waker> {
        // Where there is no such place an overflow threw it away.
        let at = self.reserved(number)?;
        match outgoing {
            Some(outgoing) => {
                let content = Content::new(outgoing);
                self.bytes += content.bytes();
                self.places[at].content = content;
                self.keep_bounds();
            }
            None => {
                self.places.remove(at);
            }
        }
        self.take_writer()
    }

    /// Ready when [`Self::next`] has something; else `cx` is woken when it may have.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_next() {
            return Poll::Ready(());
        }
        match &mut self.writer {
            Some(writer) => writer.clone_from(cx.waker()),
            None => self.writer = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    pub(super) fn next(&mut self) -> Next {
        self.take(|_| true)
    }

    /// The same, but leaves a close where it is.
    pub(super) fn next_but_close(&mut self) -> Next {
        self.take(|place| !is_close(place))
    }

    fn take(&mut self, is_wanted: impl Fn(&Place) -> bool) -> Next {
        if self.state == State::Overflowed {
            return Next::Overflowed;
        }
        while self.has_next() {
            if !self.places.front().is_some_and(&is_wanted) {
                return Next::Wait;
            }
            let content = self.places.pop_front().map(|place| place.content);
            self.bytes -= content.as_ref().map_or(0, Content::bytes);
            if self.state == State::Shedding && self.is_half_empty() {
                self.state = State::Open;
            }
            match content {
                Some(Content::Event(event, _)) if event.is_over() => self.skip(&event),
                Some(Content::Event(event, _)) => return Next::Send(Outgoing::Event(self.follow(event))),
                Some(Content::Other(other, _)) => return Next::Send(*other),
                Some(Content::Reserved) | None => unreachable!("what comes next is there and known"),
            }
        }
        if self.places.is_empty() {
            self.places.shrink_to(PLACES_KEPT);
        }
        Next::Wait
    }

    /// Leaves out what came too late.
    fn skip(&mut self, event: &Encoded) {
        if let ServerEvent::Message(message) = event.event() {
            self.skips.get_or_insert_default().note(message);
        }
    }

    /// The event as it goes out behind what was left out.
    fn follow(&mut self, event: Arc<Encoded>) -> Arc<Encoded> {
        let Some(skips) = &mut self.skips else {
            return event;
        };
        let prev = match event.event() {
            ServerEvent::Message(message) => skips.prev_of(message).map(|prev| event.after(message, prev)),
            ServerEvent::Gap(gap) => {
                skips.forget(&gap.topic);
                None
            }
            _ => None,
        };
        if skips.is_empty() {
            self.skips = None;
        }
        prev.map_or(event, Arc::new)
    }

    fn has_next(&self) -> bool {
        let known = |place: &Place| !matches!(place.content, Content::Reserved);
        self.state == State::Overflowed || self.places.front().is_some_and(known)
    }

    fn take_writer(&mut self) -> Option<Waker> {
        if self.has_next() { self.writer.take() } else { None }
    }

    pub(super) fn skip_to_close(&mut self) -> Next {
        while let Some(place) = self.places.pop_front_if(|place| !is_close(place)) {
            self.bytes -= place.content.bytes();
        }
        self.next()
    }

    pub(super) fn is_open(&self) -> bool {
        match self.state {
            State::Open | State::Shedding => true,
            State::Overflowed | State::Closing => false,
        }
    }

    pub(super) fn load(&self) -> (usize, usize) {
        (self.places.len(), self.bytes)
    }

    /// Where something new belongs: at the end, or, if it is urgent, before less urgent events of other channels.
    /// It never passes its own channel, a reply, a reserved place or an event of no channel.
    fn place_for(&self, outgoing: &Outgoing) -> usize {
        let end = self.places.len();
        let Outgoing::Event(event) = outgoing else {
            return end;
        };
        let (Priority::High, Some(topic)) = (event.priority(), topic(event.event())) else {
            return end;
        };
        let lets_pass = |place: &&Place| {
            let Content::Event(waiting, _) = &place.content else {
                return false;
            };
            waiting.priority() < Priority::High
                && self::topic(waiting.event()).is_some_and(|other| other != topic)
        };
        let passed = self.places.iter().rev().take(MOST_PASSED).take_while(lets_pass);
        end - passed.count()
    }

    fn reserved(&self, number: u64) -> Option<usize> {
        // What passed others has their number; the reserved place is the one of them that is reserved.
        let from = self.places.partition_point(|place| place.number < number);
        let same = self
            .places
            .range(from..)
            .take_while(|place| place.number == number);
        let at = same
            .map(|place| &place.content)
            .position(|content| matches!(content, Content::Reserved))?;
        Some(from + at)
    }

    fn is_over(&self) -> bool {
        let Bounds { bytes, entries } = self.bounds;
        (bytes > 0 && self.bytes > bytes) || (entries > 0 && self.places.len() > entries)
    }

    fn is_half_empty(&self) -> bool {
        let Bounds { bytes, entries } = self.bounds;
        (bytes == 0 || self.bytes <= bytes / 2) && (entries == 0 || self.places.len() <= entries / 2)
    }

    fn keep_bounds(&mut self) {
        if self.is_over() {
            self.drop_low_priority();
        }
        if self.is_over() {
            self.places = VecDeque::new();
            self.bytes = 0;
            self.state = State::Overflowed;
        }
    }

    /// Drops what may be dropped: subscribers of a channel that lost one message recover the others with it.
    fn drop_low_priority(&mut self) {
        if self.state == State::Open {
            self.state = State::Shedding;
        }
        let bytes = &mut self.bytes;
        self.places.retain(|Place { content, .. }| {
            if content.is_low() {
                *bytes -= content.bytes();
            }
            !content.is_low()
        });
    }
}

fn is_close(place: &Place) -> bool {
    match &place.content {
        Content::Other(other, _) => matches!(**other, Outgoing::Close(_)),
        Content::Event(..) | Content::Reserved => false,
    }
}

fn is_low(outgoing: &Outgoing) -> bool {
    matches!(outgoing, Outgoing::Event(event) if event.priority() == Priority::Low)
}

/// The channel whose order an event belongs to.
fn topic(event: &ServerEvent) -> Option<&ChannelName> {
    match event {
        ServerEvent::Message(message) => Some(&message.topic),
        ServerEvent::Signal(signal) => Some(&signal.topic),
        ServerEvent::Presence(change) => Some(&change.topic),
        ServerEvent::Receipt(receipt) => Some(&receipt.topic),
        ServerEvent::Gap(gap) => Some(&gap.topic),
        ServerEvent::Unsubscribed(unsubscribed) => Some(&unsubscribed.topic),
        _ => None,
    }
}

fn size_bytes(outgoing: &Outgoing) -> usize {
    match outgoing {
        Outgoing::Event(event) => event.size_bytes(),
        Outgoing::Reply(_, reply) => reply_bytes(reply),
        Outgoing::Close(_) => 0,
    }
}

fn reply_bytes(reply: &Reply) -> usize {
    let (messages, present): (&[Message], &[Present]) = match reply {
        Reply::Subscribed(subscribed) => (
            &subscribed.messages,
            subscribed.presence.as_deref().unwrap_or_default(),
        ),
        Reply::History(page) => (&page.messages, &[]),
        Reply::Presence(list) => (&[], &list.users),
        Reply::Batch(results) => {
            return REPLY_BYTES + results.iter().map(|(_, reply)| reply_bytes(reply)).sum::<usize>();
        }
        _ => return REPLY_BYTES,
    };
    let messages = messages
        .iter()
        .map(|message| message.payload.size_bytes() + MESSAGE_BYTES);
    let present = present.iter().map(|user| user.name.len() + PRESENT_BYTES);
    REPLY_BYTES + messages.sum::<usize>() + present.sum::<usize>()
}

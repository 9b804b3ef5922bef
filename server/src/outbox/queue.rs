//! The order, the places and the bounds of an outbox; no lock and no waiting in here.

use std::collections::VecDeque;

use bmt_shared::channel::ChannelName;
use bmt_shared::event::ServerEvent;
use bmt_shared::message::{Message, Priority};
use bmt_shared::reply::{Present, Reply};

use super::{Bounds, Next, Outgoing};

/// Rough bytes of a reply that carries no messages.
const REPLY_BYTES: usize = 256;
/// Rough bytes of a message beside its payload.
const MESSAGE_BYTES: usize = 256;
/// Rough bytes of one user in a presence list.
const PRESENT_BYTES: usize = 128;
/// Most places that one urgent event passes: a bound on what a push costs.
const MOST_PASSED: usize = 256;

/// A number that no place has.
const NOWHERE: u64 = u64::MAX;

struct Place {
    /// Numbers ascend; only reserved places are looked up by theirs.
    number: u64,
    content: Content,
}

enum Content {
    /// Something to send, with the bytes it was counted with.
    Ready(Outgoing, usize),
    /// Not known yet.
    Reserved,
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
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            places: VecDeque::new(),
            next_number: 0,
            bytes: 0,
            bounds,
            state: State::Open,
        }
    }

    /// Appends; answers whether the writer has something to look at.
    pub(super) fn push(&mut self, outgoing: Outgoing) -> bool {
        match self.state {
            State::Open => {}
            State::Shedding if is_low(&outgoing) => return false,
            State::Shedding => {}
            State::Overflowed | State::Closing => return false,
        }
        if matches!(outgoing, Outgoing::Close(_)) {
            self.state = State::Closing;
        }
        let bytes = size_bytes(&outgoing);
        self.bytes += bytes;
        let at = self.place_for(&outgoing);
        let number = self.places.get(at).map_or(self.next_number, |place| place.number);
        let content = Content::Ready(outgoing, bytes);
        self.places.insert(at, Place { number, content });
        self.keep_bounds();
        true
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

    /// Puts something into a reserved place, or gives the place up.
    pub(super) fn fill(&mut self, number: u64, outgoing: Option<Outgoing>) -> bool {
        let Some(at) = self.reserved(number) else {
            // An overflow threw it away.
            return false;
        };
        match outgoing {
            Some(outgoing) => {
                let bytes = size_bytes(&outgoing);
                self.bytes += bytes;
                self.places[at].content = Content::Ready(outgoing, bytes);
                self.keep_bounds();
            }
            None => {
                self.places.remove(at);
            }
        }
        true
    }

    pub(super) fn next(&mut self) -> Next {
        if self.state == State::Overflowed {
            return Next::Overflowed;
        }
        match self.places.pop_front() {
            Some(Place {
                content: Content::Ready(outgoing, bytes),
                ..
            }) => {
                self.bytes -= bytes;
                if self.state == State::Shedding && self.is_half_empty() {
                    self.state = State::Open;
                }
                Next::Send(outgoing)
            }
            Some(reserved) => {
                self.places.push_front(reserved);
                Next::Wait
            }
            None => Next::Wait,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
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
            let Content::Ready(Outgoing::Event(waiting), _) = &place.content else {
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
        self.places.retain(|place| match &place.content {
            Content::Ready(outgoing, size) if is_low(outgoing) => {
                *bytes -= size;
                false
            }
            _ => true,
        });
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

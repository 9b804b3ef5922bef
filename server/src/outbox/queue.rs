//! The order, the places and the bounds of an outbox; no lock and no waiting in here.

use std::collections::VecDeque;

use bmt_shared::message::Priority;
use bmt_shared::reply::Reply;

use super::{Bounds, Next, Outgoing};

/// Rough bytes of a reply that carries no messages.
const REPLY_BYTES: usize = 256;

enum Place {
    /// Something to send, with the bytes it was counted with.
    Ready(Outgoing, usize),
    /// Not known yet.
    Reserved,
    /// Was reserved, and nothing came.
    Void,
}

enum State {
    Open,
    /// The bound was reached; everything that waited is gone.
    Overflowed,
    /// A close is the last thing in the queue.
    Closing,
}

pub(super) struct Queue {
    places: VecDeque<Place>,
    /// Number of the first place; places are numbered in the order of their arrival.
    first: u64,
    bytes: usize,
    bounds: Bounds,
    state: State,
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            places: VecDeque::new(),
            first: 0,
            bytes: 0,
            bounds,
            state: State::Open,
        }
    }

    /// Appends; answers whether the writer has something to look at.
    pub(super) fn push(&mut self, outgoing: Outgoing) -> bool {
        if !matches!(self.state, State::Open) {
            return false;
        }
        if matches!(outgoing, Outgoing::Close(_)) {
            self.state = State::Closing;
        }
        let bytes = size_bytes(&outgoing);
        self.places.push_back(Place::Ready(outgoing, bytes));
        self.bytes += bytes;
        self.keep_bounds();
        true
    }

    pub(super) fn reserve(&mut self) -> u64 {
        self.places.push_back(Place::Reserved);
        self.first + (self.places.len() as u64 - 1)
    }

    pub(super) fn fill(&mut self, number: u64, outgoing: Option<Outgoing>) -> bool {
        // A place before the first one was thrown away by an overflow.
        let Some(at) = number
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok())
        else {
            return false;
        };
        let Some(place) = self.places.get_mut(at) else {
            return false;
        };
        let bytes = outgoing.as_ref().map_or(0, size_bytes);
        *place = outgoing.map_or(Place::Void, |outgoing| Place::Ready(outgoing, bytes));
        self.bytes += bytes;
        self.keep_bounds();
        true
    }

    pub(super) fn next(&mut self) -> Next {
        loop {
            if matches!(self.state, State::Overflowed) {
                return Next::Overflowed;
            }
            match self.places.front() {
                None | Some(Place::Reserved) => return Next::Wait,
                Some(Place::Void | Place::Ready(..)) => {}
            }
            self.first += 1;
            if let Some(Place::Ready(outgoing, bytes)) = self.places.pop_front() {
                self.bytes -= bytes;
                return Next::Send(outgoing);
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    pub(super) fn load(&self) -> (usize, usize) {
        (self.places.len(), self.bytes)
    }

    fn is_over(&self) -> bool {
        let Bounds { bytes, entries } = self.bounds;
        (bytes > 0 && self.bytes > bytes) || (entries > 0 && self.places.len() > entries)
    }

    fn keep_bounds(&mut self) {
        if self.is_over() {
            self.drop_low_priority();
        }
        if self.is_over() {
            self.first += self.places.len() as u64;
            self.places = VecDeque::new();
            self.bytes = 0;
            self.state = State::Overflowed;
        }
    }

    /// Voids low-priority events, oldest first, until the bounds hold again. A voided place at the front costs
    /// nothing; one in the middle still counts as an entry, so runs of them are taken out where they stand last.
    fn drop_low_priority(&mut self) {
        for at in 0..self.places.len() {
            if !self.is_over() {
                return;
            }
            let Place::Ready(Outgoing::Event(event), bytes) = &self.places[at] else {
                continue;
            };
            if event.priority() != Priority::Low {
                continue;
            }
            self.bytes -= bytes;
            self.places[at] = Place::Void;
        }
        while matches!(self.places.front(), Some(Place::Void)) {
            self.places.pop_front();
            self.first += 1;
        }
        while matches!(self.places.back(), Some(Place::Void)) {
            self.places.pop_back();
        }
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
    let messages = match reply {
        Reply::Subscribed(subscribed) => &subscribed.messages,
        Reply::History(page) => &page.messages,
        Reply::Batch(results) => {
            return REPLY_BYTES + results.iter().map(|(_, reply)| reply_bytes(reply)).sum::<usize>();
        }
        _ => return REPLY_BYTES,
    };
    REPLY_BYTES
        + messages
            .iter()
            .map(|message| message.payload.size_bytes() + 256)
            .sum::<usize>()
}

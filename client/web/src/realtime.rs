//! The handle that faces hold.

use std::rc::Rc;

use bmt_client_core::{ClientError, ConnectionState, Entry, Event, Face, Roster, Stats};
use bmt_shared::channel::ChannelName;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::message::Message;
use bmt_shared::payload::Payload;
use bmt_shared::position::Seq;
use bmt_shared::reply::Reply;
use bmt_shared::request::{HistoryQuery, Publish, Subscribe};
use js_sys::JsString;

use crate::driver::{Driver, Told};
use crate::listeners::Listener;
use crate::options::Options;
use crate::pending::Pending;
use crate::token::Auth;
use crate::warning::Warning;

/// The answer to a request, on its way.
pub type Answer<F> = Pending<Result<Reply<<F as Face>::Payload>, ClientError>>;

/// One client of one server. Clones are the same client; when the last one goes, the connection goes with it.
///
/// Every method may be called from inside a listener.
pub struct Realtime<F: Face + 'static>(Rc<Driver<F>>);

impl<F: Face + 'static> Clone for Realtime<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: Face + 'static> Realtime<F> {
    /// A client that does nothing yet.
    #[must_use]
    pub fn new(options: Options, face: F) -> Self {
        Self(Driver::new(options, face, None))
    }

    /// The same for a face that reads what the host has read: where `read_message` finds that a Socket.IO frame is one
    /// channel message and nothing else, the frame's text never comes into the memory of this module.
    #[must_use]
    pub fn reading(
        options: Options,
        face: F,
        read_message: fn(&JsString) -> Option<Message<F::Payload>>,
    ) -> Self {
        Self(Driver::new(options, face, Some(read_message)))
    }

    /// Connects, and stays connected by the reconnect policy until [`disconnect`](Self::disconnect).
    pub fn connect(&self) {
        self.0.begin();
        self.0.turn(|core, now| core.connect(now));
    }

    /// Closes the connection and stays away. What is queued stays queued; requests fail as cancelled.
    pub fn disconnect(&self) {
        self.0.turn(|core, now| core.disconnect(now));
        self.0.end();
    }

    /// Takes another source of tokens: the next connect asks it.
    pub fn set_auth(&self, auth: Auth) {
        self.0.set_auth(auth);
    }

    /// Tries again at once instead of waiting for the next attempt.
    pub fn retry_now(&self) {
        self.0.turn(|core, now| core.retry_now(now));
    }

    /// Queues a message. When this returns it is in storage, where there is storage; what becomes of it say
    /// [`Event::Ack`], [`Event::QueueRejected`], [`Event::QueueExpired`] and [`Event::QueueOverflow`].
    ///
    /// # Errors
    /// When it cannot be queued: too large, or the queue is full and may not drop.
    pub fn publish(&self, publish: Publish, message_id: Option<MessageId>) -> Result<MessageId, ClientError> {
        let publishing = self.0.turn(|core, now| core.publish(now, publish, message_id));
        publishing.map(|publishing| publishing.message_id)
    }

    /// Subscribes, over every reconnect. While offline the answer comes after the next connect. Messages, those
    /// of `history` and `since` too, come as [`Event::Message`] and not with the answer.
    pub fn subscribe(&self, subscribe: Subscribe) -> Answer<F> {
        self.0.ask(|core, now| core.subscribe(now, subscribe))
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, topic: &ChannelName) -> Answer<F> {
        self.0.ask(|core, now| core.unsubscribe(now, topic))
    }

    /// Says something to the present subscribers only.
    ///
    /// # Errors
    /// While offline, and when it is too large.
    pub fn signal(&self, topic: &ChannelName, payload: Payload) -> Result<(), ClientError> {
        self.0.turn(|core, now| core.signal(now, topic.clone(), payload))
    }

    /// A page of history. Waits for a connection as long as a request may take.
    pub fn history(&self, query: HistoryQuery) -> Answer<F> {
        self.0.ask(|core, now| core.history(now, query))
    }

    /// Who is present. Waits for a connection in the same way.
    pub fn presence(&self, topic: &ChannelName) -> Answer<F> {
        self.0.ask(|core, now| core.presence(now, topic.clone()))
    }

    /// Says how far the user has read a channel. Waits for a connection in the same way.
    pub fn read(&self, topic: &ChannelName, seq: Seq) -> Answer<F> {
        self.0.ask(|core, now| core.read(now, topic.clone(), seq))
    }

    /// Listens to every event, in order, each once; answers to requests go to whoever asked. The listener may
    /// call anything of this handle; what that causes comes after what is under way.
    pub fn on_event(&self, mut listener: impl FnMut(&Event<F::Payload>) + 'static) -> Listener {
        self.0.listeners.add(move |told| {
            if let Told::Event(event) = told {
                listener(event);
            }
        })
    }

    /// Listens to what is wrong with the host's storage.
    pub fn on_warning(&self, mut listener: impl FnMut(&Warning) + 'static) -> Listener {
        self.0.listeners.add(move |told| {
            if let Told::Warning(warning) = told {
                listener(warning);
            }
        })
    }

    /// How the connection stands.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.0.look(|core| core.state().clone())
    }

    /// What time it is by the server's clock, ms since the Unix epoch, as far as a greeting has told it; until then
    /// by the host's as it stood at first. It goes on evenly, whatever the host's clock is set to.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        self.0.look(|core| core.unix_ms(crate::clock::now()))
    }

    /// Counts since the client was made.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.look(|core| core.stats())
    }

    /// Whose queue it is: whom the server last greeted, else the token's unverified subject.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.0.look(|core| core.user_id().cloned())
    }

    /// Who is on a subscribed channel and how far it is read; `None` where it is not subscribed, or the face keeps
    /// no rosters. It has changed with every [`Event::Subscribed`], [`Event::Presence`], [`Event::Receipt`] and
    /// [`Event::Message`] of the channel, and with the answer to [`read`](Self::read).
    #[must_use]
    pub fn roster(&self, topic: &ChannelName) -> Option<Roster> {
        self.0.look(|core| core.roster(topic).cloned())
    }

    /// The messages that wait to be acked, oldest first, those of other users of this browser included.
    #[must_use]
    pub fn queue(&self) -> Vec<Entry> {
        self.0.look(|core| core.queue().cloned().collect())
    }
}

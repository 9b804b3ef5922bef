//! The state machine: getters, what comes from the world, what the application asks, what goes out.

mod carrying;
mod connecting;
mod deadlines;
mod greeted;
mod hosting;
mod inbound;
mod polled;
mod publishing;
mod requests;
mod restoring;
mod sharing;
mod subscribing;
mod upgrading;

use std::collections::VecDeque;

use bmt_shared::channel::ChannelName;
use bmt_shared::event::Connected;
use bmt_shared::id::{ConnectionId, UserId};
use bmt_shared::identity::User;
use bmt_shared::limits::Limits;
use bmt_shared::position::Position;
use bmt_shared::sorted::{SortedMap, SortedSet};

use crate::calendar::Calendar;
use crate::config::{Binding, Config};
use crate::connection::{Connection, Online};
use crate::dedup::Dedup;
use crate::entry::Entry;
use crate::error::ClientError;
use crate::event::{Event, RequestId, StateChange};
use crate::face::Face;
use crate::link::Link;
use crate::lock::Lock;
use crate::network::Network;
use crate::now::Now;
use crate::output::{Output, Transmit};
use crate::queue::Queue;
use crate::random::Random;
use crate::request::Requests;
use crate::roster::Roster;
use crate::state::{ConnectionState, Status};
use crate::stats::{Counters, Stats};
use crate::subscription::{Standing, Subscription};
use crate::tabs::Tabs;

use carrying::Carrier;
pub use publishing::Publishing;

/// One client of one server. See the crate's documentation for the contract with its driver.
pub struct Client<F: Face> {
    face: F,
    config: Config,
    random: Random,
    now: Now,
    calendar: Calendar,
    outputs: VecDeque<Output<F::Payload>>,
    connection: Connection,
    link: Link,
    carrier: Carrier,
    network: Network,
    /// HTTP requests since the client was made: their names.
    fetches: u32,
    requests: Requests,
    subscriptions: SortedMap<ChannelName, Subscription<F::Payload>>,
    /// Channels given up or lost on this connection: what is still under way from them is not wanted.
    left: SortedSet<ChannelName>,
    queue: Queue,
    queue_size_told: usize,
    /// Not before this monotonic time: the server asked the queue to wait.
    queue_retry_at: Option<u64>,
    queue_refusals: u32,
    lock: Lock,
    dedup: Dedup,
    tabs: Tabs,
    counters: Counters,
}

impl<F: Face> Client<F> {
    /// A client that does nothing yet.
    #[must_use]
    pub fn new(config: Config, face: F) -> Self {
        Self {
            face,
            random: Random::new(config.seed),
            now: Now::default(),
            calendar: Calendar::default(),
            outputs: VecDeque::new(),
            connection: Connection::default(),
            link: Link::new(config.binding),
            carrier: Carrier::default(),
            network: Network::default(),
            fetches: 0,
            requests: Requests::default(),
            subscriptions: SortedMap::new(),
            left: SortedSet::new(),
            queue: Queue::default(),
            queue_size_told: 0,
            queue_retry_at: None,
            queue_refusals: 0,
            lock: Lock::None,
            dedup: Dedup::new(config.dedup_window),
            tabs: Tabs::default(),
            counters: Counters::default(),
            config: Config {
                shared: config.shared && config.binding == Binding::SocketIo,
                ..config
            },
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How the connection stands.
    #[must_use]
    pub fn state(&self) -> &ConnectionState {
        &self.connection.state
    }

    /// The connection's status alone.
    #[must_use]
    pub fn status(&self) -> Status {
        self.connection.state.status
    }

    /// The greeting of the present connection.
    #[must_use]
    pub fn connected(&self) -> Option<&Connected> {
        self.connection.online().map(|online| &online.connected)
    }

    /// The public name of the present connection.
    #[must_use]
    pub fn connection_id(&self) -> Option<&ConnectionId> {
        self.connected().map(|connected| &connected.connection_id)
    }

    /// Whom the server takes the client for on the present connection.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.connected().map(|connected| &connected.user)
    }

    /// Whose queue it is: whom the server last greeted, else the token's unverified subject.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        self.connection.user.as_ref()
    }

    /// The server's limits; `None` while not connected, and with servers of the seeds.
    #[must_use]
    pub fn limits(&self) -> Option<&Limits> {
        self.connected().and_then(|connected| connected.limits.as_ref())
    }

    /// The channels that are subscribed, or wanted while there is no connection.
    pub fn subscriptions(&self) -> impl Iterator<Item = &ChannelName> {
        self.subscriptions.keys()
    }

    /// Whether a subscription is in place on the present connection.
    #[must_use]
    pub fn is_subscribed(&self, topic: &ChannelName) -> bool {
        self.subscriptions
            .get(topic)
            .is_some_and(|subscription| matches!(subscription.standing, Standing::Live | Standing::Paging(_)))
    }

    /// The last message of a channel that was handed on.
    #[must_use]
    pub fn position(&self, topic: &ChannelName) -> Option<&Position> {
        self.subscriptions.get(topic)?.cursor.as_ref()
    }

    /// Who is on a subscribed channel and how far it is read, as far as the server has told; `None` where the channel
    /// is not subscribed, or the face keeps no rosters.
    #[must_use]
    pub fn roster(&self, topic: &ChannelName) -> Option<&Roster> {
        let subscription = self.subscriptions.get(topic)?;
        F::KEEPS_ROSTERS.then_some(&subscription.roster)
    }

    /// The messages that wait to be acked, oldest first, those of other users included.
    pub fn queue(&self) -> impl Iterator<Item = &Entry> {
        self.queue.slots().map(|slot| &slot.entry)
    }

    /// How many messages of the present user wait to be acked; of any user while none is known.
    #[must_use]
    pub fn queue_len(&self) -> usize {
        match self.sender() {
            Some(sender) => self.queue().filter(|entry| sender.owns(entry)).count(),
            None => self.queue.len(),
        }
    }

    /// What the client has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            queue_size: self.queue_len(),
            subscriptions: self.subscriptions.len(),
            ..self.counters.snapshot()
        }
    }

    /// The next thing to do. Call until it answers [`Output::Timeout`], after every other call.
    pub fn poll_output(&mut self) -> Output<F::Payload> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            let Some((key, body)) = self.tabs.answers.pop() else {
                break;
            };
            self.handle_reply(key, &body, &[]);
        }
        if let Some(fetch) = self.next_fetch() {
            return fetch;
        }
        let queue_size = self.queue_len();
        if self.queue_size_told != queue_size {
            self.queue_size_told = queue_size;
            return Output::Event(Event::QueueSize(queue_size));
        }
        Output::Timeout(self.next_timeout())
    }

    /// What time it is at `now` by the server's clock, ms since the Unix epoch: since its last greeting, whatever the
    /// wall clock says. Before the first greeting by the wall clock as it stood at first.
    #[must_use]
    pub fn unix_ms(&self, now: Now) -> u64 {
        self.calendar.unix_ms(now)
    }

    /// Takes the driver's clocks; the monotonic one never goes back.
    fn set_now(&mut self, now: Now) {
        self.now.unix_ms = now.unix_ms;
        self.now.monotonic_ms = self.now.monotonic_ms.max(now.monotonic_ms);
        self.calendar.begin(self.now);
    }

    /// The date to write, ms since the Unix epoch.
    fn today_ms(&self) -> u64 {
        self.calendar.unix_ms(self.now)
    }

    /// A monotonic time this far ahead.
    fn after(&self, ms: u64) -> u64 {
        self.now.monotonic_ms.saturating_add(ms)
    }

    /// Whether a monotonic time has come.
    fn is_due(&self, at: u64) -> bool {
        at <= self.now.monotonic_ms
    }

    fn tell(&mut self, event: Event<F::Payload>) {
        self.outputs.push_back(Output::Event(event));
    }

    fn answer(
        &mut self,
        request: RequestId,
        result: Result<bmt_shared::reply::Reply<F::Payload>, ClientError>,
    ) {
        self.tell(Event::Reply { request, result });
    }

    fn transmit(&mut self, frame: Transmit) {
        self.count_sent(&frame);
        self.carry(frame);
    }

    fn count_sent(&mut self, frame: &Transmit) {
        self.counters.counts.frames_sent += 1;
        self.counters.counts.bytes_sent += match frame {
            Transmit::Text(text) => text.len() as u64,
            Transmit::Binary(bytes) => bytes.len() as u64,
        };
    }

    fn online(&self) -> Option<&Online> {
        self.connection.online()
    }

    fn set_status(&mut self, to: Status, reason: Option<String>) {
        let from = self.connection.state.status;
        if from == to {
            return;
        }
        self.connection.state.status = to;
        self.tell(Event::StateChange(StateChange {
            from,
            to,
            at: self.now.unix_ms,
            reason,
        }));
    }
}

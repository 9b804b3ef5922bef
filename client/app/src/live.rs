//! The app's face on the realtime client: who is signed in has one, the page table says when it is connected,
//! and what it tells is applied to the store. One of the app's three contexts.
//!
//! Events are put into a queue and drained whole, in order, into one change of each signal: however many frames
//! come at once, none is lost and the page is drawn once.

mod session;
mod timeline;

use std::collections::{BTreeSet, VecDeque};

use bmt_client_core::{Event, Native};
use bmt_client_web::{Auth, Listener, Options, Realtime};
use bmt_shared::channel::ChannelName;
use bmt_shared::event::{Level, Notification};
use bmt_shared::payload::Payload;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::account::Account;
use crate::browser::{address, clock, keep};
use crate::i18n::foreign;
use crate::state::body::Body;
use crate::store::Store;
use crate::toasts::Toasts;

pub(crate) use timeline::SendTrouble;

/// Time between two heartbeats of the app, ms (SPEC §9): a half-open connection shows within 20 s.
const HEARTBEAT_MS: u64 = 12_000;
/// Time between two drains, ms: one frame of the screen. The first event after a pause does not wait.
const DRAIN_MS: u64 = 16;

/// The connection of this tab. A copy is a handle.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    store: Store,
    toasts: Toasts,
    inner: StoredValue<Inner, LocalStorage>,
}

struct Inner {
    account: Account,
    client: Option<Client>,
    queue: VecDeque<Event<Payload>>,
    drain: Option<Timeout>,
    drained_at: u64,
    linger: Option<Timeout>,
}

/// One user's client, with the ears that hear it.
struct Client {
    realtime: Realtime<Native>,
    _events: Listener,
    _warnings: Listener,
}

/// The connection of this app.
pub(crate) fn use_live() -> Live {
    expect_context()
}

impl Live {
    /// No client yet: nobody is signed in.
    pub(crate) fn new(store: Store, toasts: Toasts) -> Self {
        Self {
            store,
            toasts,
            inner: StoredValue::new_local(Inner {
                account: Account::new(store.session),
                client: None,
                queue: VecDeque::new(),
                drain: None,
                drained_at: 0,
                linger: None,
            }),
        }
    }

    /// The account of this tab.
    pub(crate) fn account(&self) -> Account {
        self.inner.with_value(|inner| inner.account.clone())
    }

    /// Tries to connect at once.
    pub(crate) fn retry_now(&self) {
        if let Some(realtime) = self.realtime() {
            // After a kick or a failure there is no plan to hurry; connecting is what is asked for.
            realtime.connect();
            realtime.retry_now();
        }
    }

    /// What time it is, ms since the Unix epoch: by the server's clock once it greeted, as the times of messages are.
    pub(crate) fn time(&self) -> u64 {
        self.realtime()
            .map_or_else(clock::now, |realtime| realtime.unix_ms())
    }

    fn realtime(&self) -> Option<Realtime<Native>> {
        let client = |inner: &Inner| inner.client.as_ref().map(|client| client.realtime.clone());
        self.inner.try_with_value(client).flatten()
    }

    /// Makes the client of who has just signed in.
    fn make_client(&self) -> Client {
        let live = *self;
        let auth = Auth::provider(move || async move {
            let token = live.account().token().await;
            token.map(Some).map_err(|why| format!("{why:?}"))
        });
        let mut options = Options::new(address::base(), auth);
        options.config.heartbeat_interval_ms = HEARTBEAT_MS;
        // What a person wrote waits as long as the server can tell a repetition, and is never dropped for
        // another: a full queue is said where one writes.
        options.config.queue.expiry_ms = 0;
        options.config.queue.overflow = bmt_client_core::Overflow::Refuse;
        let realtime = Realtime::new(options, Native);
        let events = realtime.on_event(move |event| live.hear(event.clone()));
        let warnings = realtime.on_warning(move |_| {
            let text = live.store.words_now().trouble.storage.to_owned();
            live.toasts.push(Level::Warning, text);
        });
        Client {
            realtime,
            _events: events,
            _warnings: warnings,
        }
    }

    /// Queues an event and sees to it that the queue is drained.
    fn hear(&self, event: Event<Payload>) {
        let live = *self;
        self.inner.try_update_value(|inner| {
            inner.queue.push_back(event);
            if inner.drain.is_none() {
                let rested = clock::steady().saturating_sub(inner.drained_at);
                let wait = DRAIN_MS.saturating_sub(rested);
                let wait = u32::try_from(wait).unwrap_or(0);
                inner.drain = Some(Timeout::new(wait, move || live.drain()));
            }
        });
    }

    fn drain(&self) {
        let now = clock::steady();
        let events = self.inner.try_update_value(|inner| {
            inner.drained_at = now;
            inner.drain = None;
            std::mem::take(&mut inner.queue)
        });
        let Some(events) = events.filter(|events| !events.is_empty()) else {
            return;
        };
        self.store.clock.try_set(now);
        self.store
            .link
            .try_update(|link| events.iter().for_each(|event| link.apply(event, now)));
        self.store
            .chat
            .try_update(|chat| events.iter().for_each(|event| chat.apply(event)));
        self.show_people(&events);
        for event in events {
            self.react(event);
        }
    }

    /// Shows who is in the channels that events tell of. The client keeps that, over reconnects too.
    fn show_people(&self, events: &VecDeque<Event<Payload>>) {
        let topics: BTreeSet<&ChannelName> = events
            .iter()
            .filter_map(|event| match event {
                Event::Subscribed(reply) => Some(&reply.topic),
                Event::Presence(change) => Some(&change.topic),
                _ => None,
            })
            .collect();
        let Some(realtime) = self.realtime().filter(|_| !topics.is_empty()) else {
            return;
        };
        self.store.chat.try_update(|chat| {
            for topic in topics {
                if let Some(roster) = realtime.roster(topic) {
                    chat.set_present(topic, roster.present());
                }
            }
        });
    }

    /// What an event asks the app to do, beyond what it changes.
    fn react(&self, event: Event<Payload>) {
        match event {
            Event::Connected(_) => self.catch_up(),
            Event::QueueSize(_) => self.show_waiting(),
            Event::TokenExpired => self.account().expire(),
            Event::Gap(gap) => self.load_if_open(&gap.topic),
            Event::Notification(notification) => self.notify(notification),
            Event::QueueRejected { entry, failure } => {
                let text = Body::read(&entry.publish.payload).as_str().to_owned();
                let refused = keep::Refused {
                    topic: entry.publish.topic,
                    id: entry.message_id,
                    text,
                    at: entry.timestamp,
                    code: failure.code.as_str().to_owned(),
                };
                let me = self.store.chat.with_untracked(|chat| chat.me().clone());
                keep::add_refused(&me, refused);
            }
            Event::Disconnected(gone) if gone.reason.contains("Authentication failed") => {
                self.account().distrust();
            }
            _ => {}
        }
    }

    fn notify(&self, notification: Notification) {
        let text = match notification.title {
            Some(title) => format!("{}\n{}", foreign::level(&title), notification.message),
            None => notification.message,
        };
        self.toasts.push(notification.level, text);
    }

    /// The connection is back, or there for the first time.
    fn catch_up(&self) {
        self.show_waiting();
        let open = self.store.chat.with_untracked(|chat| chat.open().cloned());
        if let Some(topic) = open {
            self.load_if_open(&topic);
        }
    }

    /// Shows a row for everything in the queue: what was written before this page was loaded waits there too.
    fn show_waiting(&self) {
        let Some(realtime) = self.realtime() else { return };
        let queue = realtime.queue();
        let unknown = self.store.chat.with_untracked(|chat| {
            queue.iter().any(|entry| {
                let timeline = chat.timeline(&entry.publish.topic);
                timeline.is_none_or(|timeline| !timeline.holds(&entry.message_id))
            })
        });
        if unknown {
            self.store.chat.try_update(|chat| {
                for entry in &queue {
                    let publish = &entry.publish;
                    chat.wait(
                        &publish.topic,
                        &entry.message_id,
                        &publish.payload,
                        entry.timestamp,
                    );
                }
            });
        }
    }

    fn later(&self, work: impl Future<Output = ()> + 'static) {
        spawn_local(work);
    }
}

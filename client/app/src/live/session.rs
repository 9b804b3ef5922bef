//! From who is signed in and what is on the screen to a client, connected or not.

use bmt_shared::channel::ChannelName;
use bmt_shared::identity::User;
use bmt_shared::reply::Reply;
use bmt_shared::request::Subscribe;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;

use super::Live;
use crate::browser::keep;
use crate::page::{Connection, LINGER_MS, Page, connection};
use crate::state::chat::Chat;
use crate::state::link::{Link, LinkTrouble};
use crate::state::session::Session;

impl Live {
    /// Follows the session: a user who signs in gets a chat and a client of their own, and both go when the
    /// session does. A session that ended by itself keeps its chat, and its client waits.
    pub(crate) fn follow_session(&self, session: &Session) {
        let mine = self.store.chat.with_untracked(|chat| chat.me().clone());
        match session {
            Session::Restoring => {}
            Session::SignedOut(_) => self.end(),
            Session::Expired(_) => {
                self.disconnect();
                self.store
                    .link
                    .update(|link| link.trouble = Some(LinkTrouble::SessionOver));
            }
            Session::SignedIn(user) if self.has_client() && mine == user.user_id => {}
            Session::SignedIn(user) => {
                self.end();
                self.begin(user);
            }
        }
    }

    /// Follows the page: brings the connection up, lets it be, or takes it down.
    pub(crate) fn follow_page(&self, page: &Page, session: &Session) {
        // Whichever of the two is told first: there is a client before there is something to do for it.
        self.follow_session(session);
        let user = match session {
            // A token that nobody renews connects nobody.
            Session::SignedIn(user) => Some(user),
            _ => None,
        };
        let linger = match connection(page, user) {
            Connection::CloseSoon => {
                let live = *self;
                Some(Timeout::new(LINGER_MS, move || live.disconnect()))
            }
            Connection::Open => {
                if let Some(realtime) = self.realtime() {
                    realtime.connect();
                }
                None
            }
            Connection::Close => {
                self.disconnect();
                None
            }
            Connection::Keep => None,
        };
        self.inner.try_update_value(|inner| inner.linger = linger);
    }

    fn has_client(&self) -> bool {
        self.inner.with_value(|inner| inner.client.is_some())
    }

    fn disconnect(&self) {
        if let Some(realtime) = self.realtime() {
            realtime.disconnect();
        }
    }

    fn begin(&self, user: &User) {
        let mut chat = Chat::begin(user, keep::channels(&user.user_id));
        for message in keep::refused(&user.user_id) {
            chat.recall_refused(
                &message.topic,
                &message.id,
                &message.text,
                message.at,
                &message.code,
            );
        }
        let topics: Vec<ChannelName> = chat.channels.iter().map(|channel| channel.name.clone()).collect();
        self.store.chat.set(chat);
        let client = self.make_client();
        self.inner.update_value(|inner| inner.client = Some(client));
        for topic in topics {
            self.subscribe(topic);
        }
    }

    fn end(&self) {
        let client = self.inner.try_update_value(|inner| {
            inner.linger = None;
            inner.queue.clear();
            inner.client.take()
        });
        if let Some(client) = client.flatten() {
            client.realtime.disconnect();
            self.store.chat.set(Chat::default());
            self.store.link.set(Link::default());
        }
    }

    /// Joins a channel, made by that if it is new; does nothing where it is joined already.
    pub(crate) fn join(&self, topic: &ChannelName) {
        let known = self
            .store
            .chat
            .with_untracked(|chat| chat.channels.get(topic).is_some());
        let mut asks = false;
        self.store.chat.update(|chat| asks = chat.channels.join(topic));
        if !known {
            self.remember();
        }
        if asks {
            self.subscribe(topic.clone());
        }
    }

    /// Leaves a channel and takes it off the list.
    pub(crate) fn leave(&self, topic: &ChannelName) {
        self.store.chat.update(|chat| {
            chat.leave(topic);
        });
        self.remember();
        if let Some(realtime) = self.realtime() {
            // Whatever the answer is, the channel is off the list.
            realtime.unsubscribe(topic).then(drop);
        }
    }

    /// Remembers the joined channels and what is read in them.
    pub(super) fn remember(&self) {
        self.store.chat.with_untracked(|chat| {
            keep::set_channels(chat.me(), &chat.channels.to_remember());
        });
    }

    fn subscribe(&self, topic: ChannelName) {
        let Some(realtime) = self.realtime() else { return };
        let subscribe = Subscribe {
            // The newest message is the list's last line.
            history: Some(1),
            presence: true,
            ..Subscribe::to(topic.clone())
        };
        let live = *self;
        let pending = realtime.subscribe(subscribe);
        self.later(async move {
            match pending.await {
                Ok(Reply::Subscribed(reply)) => {
                    live.store.chat.try_update(|chat| {
                        chat.joined(&topic, reply.seq);
                    });
                    live.remember();
                    live.load_if_open(&topic);
                }
                Ok(_) => {}
                Err(error) => {
                    // A refusal; a connection that is not there yet is waited for by the client itself.
                    if error.failure().is_some() {
                        let code = error.code().to_owned();
                        live.store.chat.try_update(|chat| chat.refused(&topic, &code));
                    }
                }
            }
        });
    }
}

//! What a tab that leads does for the others: greets them, forwards what they ask, hands on what comes.

use std::borrow::Cow;

use bmt_shared::channel::ChannelName;
use bmt_shared::close::AfterClose;
use bmt_shared::codec::engineio;
use bmt_shared::codec::socketio::{self, Namespace};
use bmt_shared::error::ErrorCode;
use bmt_shared::json::Object;
use bmt_shared::request::{Call, Request};
use bytes::Bytes;

use crate::client::Client;
use crate::client::requests::unkeyed;
use crate::client::sharing::Ended;
use crate::connection::Online;
use crate::face::Face;
use crate::output::Transmit;
use crate::tabs::{ALL, Forwarded, KeptSignal, Kind, ROBBERY_CALM_MS, Said, Unshared, field, topic_of};

/// How long a tab waits whose request finds too many others waiting, ms.
const CROWDED_RETRY_MS: u64 = 1_000;

impl<F: Face> Client<F> {
    /// Tells the others that this tab leads, and whether it is connected.
    pub(super) fn announce(&mut self) {
        if self.tabs.leads() {
            let is_online = if self.online().is_some() { "1" } else { "0" };
            self.post(Kind::Lead, ALL, is_online, &[]);
        }
    }

    /// A tab that follows says something.
    pub(super) fn handle_follower(&mut self, said: &Said<'_>, attachments: &[Bytes]) {
        let now_ms = self.now.monotonic_ms;
        match said.kind {
            Kind::Hello => {
                if said.term > self.tabs.seen {
                    // It has heard of a later leader, which is gone: this one comes after that.
                    self.tabs.seen = said.term.saturating_add(1);
                    self.announce();
                }
                // The timers of a hidden page are late, and this tab may be the one that is looked at.
                self.connection_deadlines();
                self.greet_tab(said.from);
            }
            Kind::Up if self.online().is_some() => {
                if self.tabs.hub.saw(said.from, now_ms) {
                    self.host(said.from, said.content, attachments);
                } else {
                    self.post(Kind::Unknown, said.from, "", &[]);
                }
            }
            Kind::Bye => self.tab_is_gone(said.from),
            _ => {}
        }
    }

    fn greet_tab(&mut self, tab: u64) {
        if self.online().is_none() {
            return self.post(Kind::Patience, tab, "", &[]);
        }
        // What it held on its last way is over.
        self.tab_is_gone(tab);
        if !self.tabs.hub.welcome(tab, self.now.monotonic_ms) {
            return self.post(Kind::NoRoom, tab, "", &[]);
        }
        let mut content = String::new();
        bmt_shared::json::write_number(&mut content, self.today_ms());
        content.push(' ');
        content.push_str(&self.tabs.greeting);
        self.post(Kind::Welcome, tab, &content, &[]);
    }

    /// Another tab says that it leads: of the two, the one with the higher term does.
    pub(super) fn handle_rival(&mut self, said: &Said<'_>) {
        if (said.term, said.from) > (self.tabs.seen, self.tabs.id) {
            self.tabs.seen = said.term;
            let is_soon = self.now.monotonic_ms < self.tabs.robbed_until;
            self.tabs.robberies = if is_soon { self.tabs.robberies + 1 } else { 1 };
            self.tabs.robbed_until = self.after(ROBBERY_CALM_MS);
            self.robbed();
        } else if said.kind == Kind::Lead {
            self.announce();
        }
    }

    /// Sends a request on this tab's way: over its leader, or past its own hub.
    pub(super) fn transmit_call(&mut self, key: Option<u64>, call: &Call) {
        let frames = self.link.request(key, call, self.calendar.unix_ms(self.now));
        let Some(frames) = self.say_to_leader(frames) else {
            return;
        };
        if self.tabs.leads()
            && let Some(Transmit::Text(frame)) = frames.first()
        {
            match call.request {
                Request::Subscribe(_) | Request::SubscribeBatch(_) | Request::Unsubscribe(_) => {
                    return self.host(self.tabs.id, frame, &[]);
                }
                Request::Signal(_, ref payload) if !self.tabs.hub.is_empty() => {
                    return self.host(self.tabs.id, frame, payload.attachments());
                }
                _ => {}
            }
        }
        for frame in frames {
            self.transmit(frame);
        }
    }

    /// Takes a tab's request: answers it, or forwards it to the server.
    fn host(&mut self, tab: u64, frame: &str, attachments: &[Bytes]) {
        let Some((name, id, told)) = read_request(frame) else {
            return;
        };
        let mut body = Cow::Borrowed(told);
        match &*name {
            "heartbeat" => {
                let mut ack = String::new();
                let timestamp = field(told, "timestamp").unwrap_or("0");
                Object::open(&mut ack).raw("timestamp", timestamp).close();
                return self.post(Kind::Down, tab, &event_frame("heartbeat_ack", &ack, 0), &[]);
            }
            "subscribe" => match self.tabs.hub.subscribe(tab, told) {
                Ok(asked) => body = asked,
                Err(why) => return self.answer_tab(tab, id, &unshared(&why)),
            },
            "unsubscribe" => {
                let topic = topic_of(told).unwrap_or_default();
                if self.tabs.hub.unsubscribe(tab, &topic) {
                    let mut done = String::new();
                    Object::open(&mut done)
                        .str("type", "ack")
                        .str("status", "success")
                        .str("topic", &topic)
                        .close();
                    return self.answer_tab(tab, id, &done);
                }
            }
            _ => {}
        }
        let key = if name == "signal" {
            self.forward_signal(tab, id, told, attachments)
        } else if tab != self.tabs.id && id.is_some() {
            let key = self.forward(tab, id, frame.len(), None);
            if key.is_none() {
                let why = "too many requests of other tabs wait for the server";
                return self.answer_tab(tab, id, &failed(&ErrorCode::RateLimited, why));
            }
            key
        } else {
            id
        };
        let mut frame = String::from(engineio::MESSAGE);
        socketio::encode_event(
            &mut frame,
            Namespace::MAIN,
            key,
            &name,
            &[&body],
            attachments.len(),
        );
        self.transmit(Transmit::Text(frame));
        for bytes in attachments {
            self.transmit(Transmit::Binary(bytes.clone()));
        }
    }

    /// The key under which a tab's request goes to the server, so that the answer finds it; none where too many wait.
    fn forward(
        &mut self,
        tab: u64,
        id: Option<u64>,
        bytes: usize,
        signal: Option<KeptSignal>,
    ) -> Option<u64> {
        let key = self.requests.next_key();
        let at_ms = self.now.monotonic_ms;
        let request = Forwarded {
            key,
            tab,
            id,
            bytes,
            at_ms,
            signal,
        };
        self.tabs.hub.forward(request).then_some(key)
    }

    /// The server does not say a signal back to the connection it came from, but the other tabs are not the one that
    /// said it. They hear it when the server has taken it, which may refuse it; the refusal goes to whoever said it,
    /// although nobody waits. What finds too many others waiting is shown to none of them.
    fn forward_signal(
        &mut self,
        tab: u64,
        id: Option<u64>,
        body: &str,
        attachments: &[Bytes],
    ) -> Option<u64> {
        if !self.online().is_some_and(Online::is_full) {
            // Servers of the seeds do not answer signals.
            self.hand_on_signal(tab, body, attachments);
            return None;
        }
        let bytes = body.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        let signal = KeptSignal {
            body: body.to_owned(),
            attachments: attachments.to_vec(),
        };
        self.forward(tab, id, bytes, Some(signal))
    }

    /// All tabs but this one hear a signal.
    fn hand_on_signal(&mut self, tab: u64, body: &str, attachments: &[Bytes]) {
        let Some(online) = self.online().filter(|_| self.tabs.leads()) else {
            return;
        };
        let (Some(topic), Some(payload)) = (field(body, "topic"), field(body, "payload")) else {
            return;
        };
        let mut signal = String::new();
        Object::open(&mut signal)
            .raw("topic", topic)
            .str("from", online.connected.user.user_id.as_str())
            .raw("payload", payload)
            .number("timestamp", self.today_ms())
            .close();
        let from_self = tab == self.tabs.id;
        self.hand_on("signal", &signal, attachments, tab);
        if !from_self && self.wants_event("signal", topic_of(body).as_deref()) {
            self.parse_event("signal", &signal, attachments);
        }
    }

    /// An answer came. False where it is this tab's own.
    pub(super) fn hand_on_reply(&mut self, key: u64, body: &str, attachments: &[Bytes]) -> bool {
        let Some(forwarded) = self.tabs.hub.answered(key) else {
            return false;
        };
        let Forwarded { tab, id, signal, .. } = forwarded;
        let is_taken = field(body, "status") == Some("\"success\"");
        if let Some(signal) = signal.filter(|_| is_taken) {
            self.hand_on_signal(tab, &signal.body, &signal.attachments);
        }
        match id {
            Some(id) => {
                let frame = ack_frame(id, body, attachments.len());
                self.post(Kind::Down, tab, &frame, attachments);
            }
            None if is_taken => {}
            None if tab == self.tabs.id => self.handle_stray_reply(body),
            // As a server says it that is asked without a callback.
            None => self.post(Kind::Down, tab, &event_frame("ack", body, 0), &[]),
        }
        true
    }

    /// An event came from the server, or from a leader. It goes on to the other tabs; whether this one wants it.
    pub(super) fn share_event(&mut self, name: &str, body: &str, attachments: &[Bytes]) -> bool {
        if !self.config.shared {
            return true;
        }
        match name {
            "connected" => {
                body.clone_into(&mut self.tabs.greeting);
                return true;
            }
            // The leader's own matter.
            "heartbeat_ack" | "token_expiring" | "error" => return true,
            _ => {}
        }
        let topic = topic_of(body);
        if self.tabs.leads() {
            if name == "unsubscribed" {
                self.tabs.hub.forget(topic.as_deref().unwrap_or_default());
            }
            self.hand_on(name, body, attachments, self.tabs.id);
        }
        self.wants_event(name, topic.as_deref())
    }

    fn wants_event(&self, name: &str, topic: Option<&str>) -> bool {
        // Servers of the seeds put a user on channels that nobody asked for.
        let is_full = self.online().is_some_and(Online::is_full);
        let Some(topic) = topic.filter(|_| is_full) else {
            return true;
        };
        let subscription = self.subscriptions.get(topic);
        subscription.is_some_and(|known| name != "presence" || known.want.presence)
    }

    /// An event goes to all tabs but this one.
    fn hand_on(&mut self, name: &str, body: &str, attachments: &[Bytes], except: u64) {
        if self.tabs.hub.is_empty() {
            return;
        }
        let frame = event_frame(name, body, attachments.len());
        if except == self.tabs.id {
            return self.post(Kind::Down, ALL, &frame, attachments);
        }
        for tab in self.tabs.hub.others(except) {
            self.post(Kind::Down, tab, &frame, attachments);
        }
    }

    /// The connection, or the attempt, is over: that of the other tabs is too, for the same reason. Whether one of
    /// them is to blame, where a message was too large.
    pub(super) fn tell_tabs_of_end(&mut self, code: u16, reason: &str, after: AfterClose) -> bool {
        if !self.tabs.leads() {
            return false;
        }
        let blamed = self.tabs.hub.sender_of_more_than(self.largest_in_flight());
        let blamed = blamed.filter(|tab| *tab != self.tabs.id);
        let ended = Ended {
            code,
            wait_ms: self.connection.floor_ms.saturating_sub(self.now.monotonic_ms),
            after,
            blamed: blamed.unwrap_or(self.tabs.id),
            reason,
        };
        self.post(Kind::Ended, ALL, &ended.write(), &[]);
        self.tabs.hub.clear();
        blamed.is_some()
    }

    /// The server refused a channel: this tab does not hold it.
    pub(super) fn let_go(&mut self, topic: &ChannelName) {
        if self.config.shared && self.online().is_some() {
            self.transmit_call(None, &unkeyed(Request::Unsubscribe(topic.clone())));
        }
    }

    pub(super) fn tab_deadlines(&mut self) {
        self.lead_if_due();
        while let Some(tab) = self.tabs.hub.silent(self.now.monotonic_ms) {
            self.tab_is_gone(tab);
        }
    }

    /// A tab is gone, and with it what only it held.
    fn tab_is_gone(&mut self, tab: u64) {
        for topic in self.tabs.hub.remove(tab) {
            let mut body = String::new();
            Object::open(&mut body).str("topic", &topic).close();
            self.transmit(Transmit::Text(event_frame("unsubscribe", &body, 0)));
        }
    }

    fn answer_tab(&mut self, tab: u64, id: Option<u64>, body: &str) {
        let Some(id) = id else { return };
        if tab == self.tabs.id {
            self.tabs.answers.push((id, body.to_owned()));
        } else {
            self.post(Kind::Down, tab, &ack_frame(id, body, 0), &[]);
        }
    }

    /// Says good-bye to the server, where there is a connection of this tab's own.
    pub(super) fn say_farewell(&mut self) {
        if self.online().is_some()
            && let Some(farewell) = self.link.farewell()
        {
            self.transmit(farewell);
        }
    }
}

fn event_frame(name: &str, body: &str, attachments: usize) -> String {
    let mut frame = String::from(engineio::MESSAGE);
    socketio::encode_event(&mut frame, Namespace::MAIN, None, name, &[body], attachments);
    frame
}

fn ack_frame(id: u64, body: &str, attachments: usize) -> String {
    let mut frame = String::from(engineio::MESSAGE);
    socketio::encode_ack(&mut frame, Namespace::MAIN, id, &[body], attachments);
    frame
}

/// The name, the key and the body of a request's frame.
fn read_request(frame: &str) -> Option<(Cow<'_, str>, Option<u64>, &str)> {
    let packet = frame.strip_prefix(engineio::MESSAGE)?;
    let socketio::Packet::Event { id, data, .. } = socketio::Packet::decode(packet).ok()? else {
        return None;
    };
    let mut event = socketio::split_event(data).ok()?;
    Some((event.name, id, event.args.next()?.ok()?))
}

fn unshared(why: &Unshared) -> String {
    match why {
        Unshared::Filter => failed(
            &ErrorCode::InvalidOperation,
            "another tab of this browser, which shares its connection, has subscribed to this channel with other `params`; \
             ask for the same, or let this tab connect by itself (`shared: false`)",
        ),
        Unshared::Full => failed(
            &ErrorCode::SubscribeFailed,
            "the tabs of this browser, which share a connection, hold too many channels; unsubscribe from some",
        ),
    }
}

fn failed(code: &ErrorCode, message: &str) -> String {
    let retry_after_ms = code.is_retryable().then_some(CROWDED_RETRY_MS);
    let mut body = String::new();
    Object::open(&mut body)
        .str("type", "error")
        .str("status", "error")
        .str("code", code.as_str())
        .str("message", message)
        .maybe_number("retryAfterMs", retry_after_ms)
        .close();
    body
}

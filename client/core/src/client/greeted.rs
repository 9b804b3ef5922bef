//! The life of a greeted connection: its beginning, its heartbeats, its token.

use bmt_shared::close::CloseCode;
use bmt_shared::event::Connected;
use bmt_shared::request::{Call, Request};

use crate::client::Client;
use crate::connection::{Heartbeat, Online, Phase, Refresh, SETTLED_AFTER_MS};
use crate::event::Event;
use crate::face::{Face, RequestKind};
use crate::request::Purpose;
use crate::state::Status;
use crate::tabs::TAB_HEARTBEAT_MS;

impl<F: Face> Client<F> {
    /// The server greeted: tell, subscribe again, send what waits, begin the heartbeats, in this order (SPEC §9).
    pub(super) fn greeted(&mut self, connected: Connected) {
        if !matches!(self.connection.phase, Phase::Greeting { .. }) {
            return;
        }
        let attempts = self.connection.attempts_since_greeting;
        let is_first = self.connection.greetings == 0;
        self.connection.greetings += 1;
        self.connection.attempts_since_greeting = 0;
        self.connection.state.last_connected = Some(self.now.unix_ms);
        self.connection.state.error = None;
        let told_ms = self.tabs_server_ms().or(connected.server_time);
        let server_ms = told_ms.unwrap_or(connected.timestamp);
        self.connection.user = Some(connected.user.user_id.clone());
        self.connection.phase = Phase::Online(Box::new(Online {
            connected: connected.clone(),
            settles_at: Some(self.after(SETTLED_AFTER_MS)),
            heartbeat: self.next_heartbeat(),
            refresh: Refresh::None,
        }));
        self.note_greeting();
        self.tell(Event::Connected(connected));
        self.set_status(Status::Connected, None);
        if !is_first {
            self.counters.counts.reconnects += 1;
            self.tell(Event::Reconnected { attempts });
        }
        self.left.clear();
        self.subscribe_wanted();
        self.learn_time(server_ms);
        self.begin_flush();
        self.send_waiting_calls();
        self.announce();
    }

    fn next_heartbeat(&self) -> Heartbeat {
        let interval = self.config.heartbeat_interval_ms;
        match interval {
            // Without heartbeats of its own, a tab would never learn that the leader hangs.
            0 | TAB_HEARTBEAT_MS.. if self.is_behind_a_tab() => Heartbeat::Due {
                at: self.after(TAB_HEARTBEAT_MS),
            },
            0 => Heartbeat::Off,
            interval => Heartbeat::Due {
                at: self.after(interval),
            },
        }
    }

    /// Asks the server whether it lives, unless that is being asked already or never answered.
    pub(super) fn probe(&mut self) {
        let awaited = Heartbeat::Awaited {
            sent_at: self.now.monotonic_ms,
            until: self.after(self.config.pong_timeout_ms),
        };
        let unix_ms = self.today_ms();
        if let Some(online) = self.connection.online_mut()
            && let Heartbeat::Due { .. } = online.heartbeat
        {
            online.heartbeat = awaited;
            let call = Call {
                message_id: None,
                request: Request::Heartbeat(Some(unix_ms)),
            };
            self.transmit_call(None, &call);
        }
    }

    pub(super) fn heartbeat_answered(&mut self) {
        let next = self.next_heartbeat();
        let now = self.now.monotonic_ms;
        if let Some(online) = self.connection.online_mut()
            && let Heartbeat::Awaited { sent_at, .. } = online.heartbeat
        {
            online.heartbeat = next;
            let latency = now.saturating_sub(sent_at);
            // That of a post says nothing of the server.
            if !self.is_behind_a_tab() {
                self.counters.latency(latency);
                self.tell(Event::Latency(latency));
            }
        }
    }

    /// A heartbeat's answer is overdue: the connection is dead, or the server is of the seeds and has none.
    pub(super) fn heartbeat_missed(&mut self) {
        if self.leader_hangs() {
            return;
        }
        match self.connection.online_mut() {
            Some(online) if !online.is_full() => online.heartbeat = Heartbeat::Off,
            Some(_) => self.give_up(CloseCode::HeartbeatTimeout, "heartbeat timeout"),
            None => {}
        }
    }

    /// Goes on with a new token on the living connection.
    pub(super) fn refresh_with(&mut self, token: Result<Option<String>, String>) {
        let Some(online) = self.connection.online_mut() else {
            return;
        };
        if online.refresh == Refresh::None {
            return;
        }
        online.refresh = Refresh::None;
        // Without a new token the connection lives until the old one ends; the next attempt asks again.
        if let Ok(Some(token)) = token
            && self.connection.token.as_ref() != Some(&token)
        {
            self.connection.token = Some(token.clone());
            let bare = crate::link::bare_token(&token).to_owned();
            self.send(
                RequestKind::Refresh,
                Purpose::Refresh,
                Request::Refresh(bare),
                None,
            );
        }
    }
}

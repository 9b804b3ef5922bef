//! What carries the frames: a WebSocket, or HTTP long-polling where none can be opened.

use bmt_shared::close::{AfterClose, CloseCode};
use bmt_shared::codec::engineio::Handshake;

use crate::client::Client;
use crate::face::Face;
use crate::link::Link;
use crate::output::{Output, Transmit};
use crate::polling::{Polling, Upgrade};
use crate::tabs::{Kind, TabLink};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) enum Carrier {
    #[default]
    Socket,
    Polling(Box<Polling>),
    /// The tab that leads those who share a connection.
    Tab(TabLink),
}

impl<F: Face> Client<F> {
    /// Begins to open what carries the next connection.
    pub(super) fn open_carrier(&mut self) {
        if !self.open_behind_a_tab() {
            self.open_transport();
        }
    }

    pub(super) fn open_transport(&mut self) {
        if self.network.begins_with_polling(&self.config) {
            return self.open_polling();
        }
        self.carrier = Carrier::Socket;
        let connect = Link::connect(&self.config, self.connection.token.as_deref());
        self.outputs.push_back(Output::Connect(connect));
    }

    /// Goes on with long-polling where no WebSocket could be opened; false where that is no way.
    pub(super) fn fall_back(&mut self) -> bool {
        let attempts = self.connection.state.reconnect_attempts;
        let falls_back =
            matches!(self.carrier, Carrier::Socket) && self.network.falls_back(&self.config, attempts);
        if falls_back {
            self.begin_opening();
            self.open_polling();
        }
        falls_back
    }

    /// The server has not said a word on what was opened: another way, or another attempt.
    pub(super) fn not_spoken(&mut self, reason: &'static str) {
        if self.leader_is_silent() {
            return;
        }
        self.close_transport(CloseCode::Normal, reason);
        if !self.fall_back() {
            self.lost(CloseCode::Abnormal.number(), reason, AfterClose::Reconnect);
        }
    }

    fn open_polling(&mut self) {
        let path = self.config.path().to_owned();
        self.carrier = Carrier::Polling(Box::new(Polling::new(path)));
    }

    /// The transport's handshake came.
    pub(super) fn note_handshake(&mut self, handshake: &Handshake<'_>) {
        match &mut self.carrier {
            Carrier::Socket => self.network.socket_spoke(),
            Carrier::Tab(_) => {}
            Carrier::Polling(polling) => polling.opened(handshake),
        }
    }

    /// The server greeted: remembers what it was that worked.
    pub(super) fn note_greeting(&mut self) {
        if let Carrier::Polling(_) = self.carrier {
            self.network.polling_greeted();
            self.plan_upgrade();
        }
    }

    /// The connection is over, or was never there.
    pub(super) fn drop_carrier(&mut self) {
        if let Carrier::Polling(polling) = &self.carrier
            && !polling.was_open
        {
            self.network.polling_failed();
        }
        self.carrier = Carrier::Socket;
    }

    /// Ends the transport from this side.
    pub(super) fn close_carrier(&mut self, code: u16, reason: &'static str) {
        let has_socket = match &mut self.carrier {
            Carrier::Socket => true,
            Carrier::Tab(link) => {
                let leader = link.leader;
                self.post(Kind::Bye, leader, "", &[]);
                false
            }
            Carrier::Polling(polling) => {
                if let Some(last) = polling.last_fetch(&mut self.fetches) {
                    self.outputs.push_back(Output::Fetch(last));
                }
                self.outputs.push_back(Output::Abort);
                matches!(
                    polling.upgrade,
                    Upgrade::Probing { .. } | Upgrade::Draining { .. }
                )
            }
        };
        if has_socket {
            self.outputs.push_back(Output::Close { code, reason });
        }
    }

    /// Gives a frame to what carries it now.
    pub(super) fn carry(&mut self, frame: Transmit) {
        match &mut self.carrier {
            Carrier::Socket => self.outputs.push_back(Output::Transmit(frame)),
            Carrier::Polling(polling) => polling.send(frame),
            // Requests go as posts, and nothing else is said to a leader.
            Carrier::Tab(_) => {}
        }
    }
}

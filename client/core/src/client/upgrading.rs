//! From long-polling to a WebSocket that takes the session over (Engine.IO 4, "Upgrade").

use bmt_shared::close::CloseCode;
use bmt_shared::codec::engineio::Packet;

use crate::client::Client;
use crate::client::carrying::Carrier;
use crate::config::Transports;
use crate::face::Face;
use crate::network::Network;
use crate::output::{Connect, Frame, Output, Transmit};
use crate::polling::Upgrade;

/// What a client and a server say to each other on a WebSocket before it takes a session over.
const PROBE: &str = "probe";

impl<F: Face> Client<F> {
    /// Whether this network lets no WebSocket through, as far as is known: worth remembering for the next client.
    #[must_use]
    pub fn needs_polling(&self) -> bool {
        self.network.needs_polling()
    }

    /// An earlier client found out that this network needs long-polling: the next attempt begins with it, and a
    /// WebSocket is tried later. Forgotten as what the client finds out itself.
    pub fn recall_polling(&mut self) {
        self.network.recall_polling();
    }

    /// What is due next on the way to a WebSocket.
    pub(super) fn upgrade_deadline(&self) -> Option<u64> {
        match &self.carrier {
            Carrier::Socket | Carrier::Tab(_) => None,
            Carrier::Polling(polling) => match polling.upgrade {
                Upgrade::None => None,
                Upgrade::Due { at } => Some(at),
                Upgrade::Probing { until } | Upgrade::Draining { until } => Some(until),
            },
        }
    }

    pub(super) fn upgrade_deadlines(&mut self) {
        let now_ms = self.now.monotonic_ms;
        let until = self.after(self.config.connect_timeout_ms);
        let Carrier::Polling(polling) = &mut self.carrier else {
            return;
        };
        match polling.upgrade {
            Upgrade::Due { at } if at <= now_ms => {
                if polling.is_slow(now_ms) {
                    return self.plan_upgrade();
                }
                polling.upgrade = Upgrade::Probing { until };
                let connect = Connect {
                    path_and_query: polling.socket_path(),
                    protocols: Vec::new(),
                };
                self.outputs.push_back(Output::Connect(connect));
            }
            Upgrade::Probing { until } if until <= now_ms => {
                let code = CloseCode::Normal.number();
                let reason = "the session was not taken over in time";
                self.outputs.push_back(Output::Close { code, reason });
                self.upgrade_failed();
            }
            // The server holds the session for the WebSocket and may have given up polling.
            Upgrade::Draining { until } if until <= now_ms => {
                self.give_up(CloseCode::Abnormal, "the session was not taken over in time");
            }
            _ => {}
        }
    }

    /// The WebSocket that may take a polled session over is open; false where there is none such.
    pub(super) fn probe_opened(&mut self) -> bool {
        let Carrier::Polling(polling) = &self.carrier else {
            return false;
        };
        if let Upgrade::Probing { .. } = polling.upgrade {
            let probe = Transmit::Text(Packet::Ping(PROBE).encode());
            self.outputs.push_back(Output::Transmit(probe));
        }
        true
    }

    /// A frame came on it; false where the WebSocket carries the connection.
    pub(super) fn probe_answered(&mut self, frame: Frame<'_>) -> bool {
        let until = self.after(self.config.connect_timeout_ms);
        let Carrier::Polling(polling) = &mut self.carrier else {
            return false;
        };
        let is_answer = matches!(frame, Frame::Text(text) if Packet::decode(text) == Ok(Packet::Pong(PROBE)));
        if is_answer && matches!(polling.upgrade, Upgrade::Probing { .. }) {
            polling.upgrade = Upgrade::Draining { until };
            self.take_over_if_drained();
        }
        true
    }

    /// It is closed; false where it carried the connection.
    pub(super) fn probe_closed(&mut self) -> bool {
        if !matches!(self.carrier, Carrier::Polling(_)) {
            return false;
        }
        self.upgrade_failed();
        true
    }

    /// The network may be another one.
    pub(super) fn forget_network(&mut self) {
        self.network = Network::default();
        let at = self.now.monotonic_ms;
        if let Carrier::Polling(polling) = &mut self.carrier
            && let Upgrade::Due { at: due } = &mut polling.upgrade
        {
            *due = at;
        }
    }

    fn upgrade_failed(&mut self) {
        self.network.upgrades_failed += 1;
        self.plan_upgrade();
    }

    pub(super) fn plan_upgrade(&mut self) {
        if let Carrier::Polling(polling) = &mut self.carrier
            && self.config.transports == Transports::Any
        {
            polling.plan_upgrade(self.now.monotonic_ms, self.network.upgrades_failed);
        }
    }

    pub(super) fn take_over_if_drained(&mut self) {
        if let Carrier::Polling(polling) = &self.carrier
            && matches!(polling.upgrade, Upgrade::Draining { .. })
            && polling.is_drained()
            && let Carrier::Polling(polling) = std::mem::take(&mut self.carrier)
        {
            let upgrade = Transmit::Text(Packet::Upgrade.encode());
            self.outputs.push_back(Output::Transmit(upgrade));
            let waiting = polling.into_waiting().into_iter().map(Output::Transmit);
            self.outputs.extend(waiting);
            self.network.socket_spoke();
        }
    }
}

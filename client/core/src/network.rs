//! What is known of the network: whether it lets WebSockets through.

use crate::config::{Binding, Config, Transports};

/// Failed attempts in a row after which a WebSocket that opened before is doubted.
const DOUBT_AFTER: u32 = 3;

/// See the [module](self). Forgotten when the host says that its network is another one.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// A server spoke over a WebSocket.
    socket_works: bool,
    /// None could be opened, and polling worked.
    needs_polling: bool,
    /// WebSockets in a row that did not take a polled session over.
    pub(crate) upgrades_failed: u32,
}

impl Network {
    /// Whether the next attempt begins with long-polling.
    pub(crate) fn begins_with_polling(&self, config: &Config) -> bool {
        config.binding == Binding::SocketIo
            && match config.transports {
                Transports::Any => self.needs_polling,
                Transports::WebSocket => false,
                Transports::Polling => true,
            }
    }

    /// Whether long-polling is tried where no WebSocket could be opened, after so many failed attempts: a server that
    /// is away refuses both.
    pub(crate) fn falls_back(&self, config: &Config, attempts: u32) -> bool {
        config.binding == Binding::SocketIo
            && config.transports == Transports::Any
            && (!self.socket_works || attempts >= DOUBT_AFTER)
    }

    /// What an earlier client found out on this network.
    pub(crate) fn recall_polling(&mut self) {
        self.needs_polling = true;
    }

    /// Whether none could be opened, and polling worked.
    pub(crate) fn needs_polling(&self) -> bool {
        self.needs_polling
    }

    /// A server spoke over a WebSocket.
    pub(crate) fn socket_spoke(&mut self) {
        *self = Self {
            socket_works: true,
            ..Self::default()
        };
    }

    /// A server greeted over long-polling.
    pub(crate) fn polling_greeted(&mut self) {
        self.needs_polling = true;
    }

    /// Long-polling could not be begun: the next attempt asks for a WebSocket again.
    pub(crate) fn polling_failed(&mut self) {
        self.needs_polling = false;
    }
}

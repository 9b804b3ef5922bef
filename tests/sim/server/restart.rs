//! The server goes and comes: in good order, or killed.

use bmt_shared::close::CloseCode;
use bmt_shared::event::{Closing, ServerEvent};

use super::{Down, Server};
use crate::wire::WireId;

impl Server {
    /// The process is killed: connections and channels are gone, the disk stays. What was on its way to the disk
    /// may have arrived there.
    pub(crate) fn kill(&mut self) -> Vec<WireId> {
        let arrived = self.random.within(0..=self.drafts.len() as u64);
        for _ in 0..arrived {
            if let Some((draft, _)) = self.drafts.pop_front() {
                self.append(draft);
            }
        }
        self.drafts.clear();
        self.batches.clear();
        self.channels.clear();
        std::mem::take(&mut self.connections).into_keys().collect()
    }

    /// Everybody is told to come back, what is on its way to the disk is written and acked, and the process ends
    /// (SPEC §5). The next one knows what the disk has.
    pub(crate) fn restart(&mut self, retry_after_ms: u64, now: u64) {
        let wires: Vec<WireId> = self.connections.keys().copied().collect();
        for wire in &wires {
            self.say_closing(*wire, CloseCode::Restart, "restart", Some(retry_after_ms));
        }
        self.commit(now);
        for wire in wires {
            self.close(wire, now);
        }
        self.batches.clear();
        self.channels.clear();
    }

    /// Ends a connection from this side.
    pub(super) fn close(&mut self, wire: WireId, now: u64) {
        self.out.push((wire, Down::Close));
        self.handle_closed(wire, now);
    }

    pub(super) fn say_closing(
        &mut self,
        wire: WireId,
        code: CloseCode,
        reason: &str,
        retry_after_ms: Option<u64>,
    ) {
        let closing = Closing {
            code: code.number(),
            reason: reason.to_owned(),
            retry_after_ms,
        };
        self.say(wire, &ServerEvent::Closing(closing));
    }
}

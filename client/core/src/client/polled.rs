//! Answers to the requests of long-polling, and what is said in them.

use bmt_shared::close::{AfterClose, CloseCode, after_close};
use bmt_shared::codec::engineio::{Packet, payload};
use bmt_shared::codec::json;

use crate::client::Client;
use crate::client::carrying::Carrier;
use crate::connection::Phase;
use crate::face::Face;
use crate::link::LinkError;
use crate::now::Now;
use crate::output::{FetchId, Output, Response};
use crate::polling::Answered;

impl<F: Face> Client<F> {
    /// The answer to an [`Output::Fetch`], or a sentence on why there is none. What answers a request that
    /// [`Output::Abort`] gave up is ignored.
    pub fn handle_response(&mut self, now: Now, id: FetchId, response: Result<Response<'_>, &str>) {
        self.set_now(now);
        let now_ms = self.now.monotonic_ms;
        let Carrier::Polling(polling) = &mut self.carrier else {
            return;
        };
        let answered = polling.answered(id, now_ms);
        if answered == Answered::Nothing || !self.connection.has_transport() {
            return;
        }
        match response {
            Ok(Response { status: 200, body }) => {
                if answered == Answered::Poll {
                    self.receive_payload(body);
                }
                self.take_over_if_drained();
            }
            Ok(Response { status, body }) => self.refused_request(status, body),
            Err(why) => self.lost_request(why),
        }
    }

    /// The next request of long-polling, which takes all that was said since the last.
    pub(super) fn next_fetch(&mut self) -> Option<Output<F::Payload>> {
        let Carrier::Polling(polling) = &mut self.carrier else {
            return None;
        };
        if !self.connection.has_transport() {
            return None;
        }
        let fetch = polling.next_fetch(&mut self.fetches, self.now.monotonic_ms)?;
        Some(Output::Fetch(fetch))
    }

    fn receive_payload(&mut self, body: &str) {
        if let Phase::Opening { .. } = self.connection.phase {
            self.begin_greeting();
        }
        match payload::decode(body, payload::Limits::default()) {
            Ok(packets) => {
                for packet in packets {
                    // What stands behind the packet that ended the session is of no use any more.
                    if !self.connection.has_transport() {
                        return;
                    }
                    self.count_received(packet.as_ref().map_or(0, Packet::encoded_len));
                    match packet {
                        Ok(packet) => {
                            let inbound = self.link.receive_packet(packet);
                            self.handle_received(inbound.map(|inbound| inbound.into_iter().collect()));
                        }
                        Err(error) => self.handle_received(Err(LinkError(error.to_string()))),
                    }
                }
            }
            Err(error) => self.handle_received(Err(LinkError(error.to_string()))),
        }
        if let Carrier::Polling(polling) = &self.carrier
            && !polling.was_open
            && self.connection.has_transport()
        {
            self.give_up(CloseCode::Protocol, "the answer to a handshake is none");
        }
    }

    /// A request was refused: the session is gone, the body was too large, or the server wants no more for now.
    fn refused_request(&mut self, status: u16, body: &str) {
        self.note_retry_after(retry_after_ms(body));
        let (code, after) = match status {
            413 => {
                let code = CloseCode::TooLarge.number();
                (code, after_close(code))
            }
            _ => (CloseCode::Abnormal.number(), AfterClose::Reconnect),
        };
        self.break_off();
        self.lost(code, &format!("the server answered with HTTP {status}"), after);
    }

    /// Ends a session that takes no last words any more.
    fn break_off(&mut self) {
        if let Carrier::Polling(polling) = &mut self.carrier {
            polling.break_off();
        }
        self.close_transport(CloseCode::Normal, "poll error");
    }

    fn lost_request(&mut self, why: &str) {
        self.break_off();
        self.lost(CloseCode::Abnormal.number(), why, AfterClose::Reconnect);
    }
}

/// What a refusal says about coming back.
fn retry_after_ms(body: &str) -> Option<u64> {
    json::entries(body)
        .ok()?
        .filter_map(Result::ok)
        .find(|(key, _)| *key == "\"retryAfterMs\"")
        .and_then(|(_, value)| json::integer(value))
}

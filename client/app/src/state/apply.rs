//! What the connection tells, applied to the state: the one place that knows the client core's events.

use bmt_client_core::{Event, Status};
use bmt_shared::close::CloseCode;
use bmt_shared::payload::Payload;

use super::chat::Chat;
use super::link::{Link, LinkState, LinkTrouble};

impl Chat {
    /// Applies an event. Most have nothing to do with the chat.
    pub(crate) fn apply(&mut self, event: &Event<Payload>) {
        match event {
            Event::Message(received) => self.deliver(&received.message),
            Event::Ack(acked) => {
                // Servers that tell no position send the own copy, which settles the row too.
                if let Some(published) = &acked.published {
                    self.settle(
                        &acked.topic,
                        &acked.message_id,
                        &published.message_id,
                        published.seq,
                    );
                }
            }
            Event::QueueRejected { entry, failure } => {
                self.fail(&entry.publish.topic, &entry.message_id, failure.code.as_str());
            }
            Event::QueueExpired(entry) => {
                self.fail(&entry.publish.topic, &entry.message_id, "queue_expired");
            }
            Event::QueueOverflow(entry) => {
                self.fail(&entry.publish.topic, &entry.message_id, "queue_overflow");
            }
            Event::SubscribeFailed { topic, failure } => self.refused(topic, failure.code.as_str()),
            Event::Unsubscribed(ended) => self.refused(&ended.topic, ended.code.as_str()),
            Event::Gap(gap) => self.lose(&gap.topic),
            _ => {}
        }
    }
}

impl Link {
    /// Applies an event that came at `now`, on the page's own clock, ms.
    pub(crate) fn apply(&mut self, event: &Event<Payload>, now: u64) {
        match event {
            Event::StateChange(change) => {
                self.change(state_of(change.to), now);
                if change.to == Status::Failed && self.trouble.is_none() {
                    self.trouble = Some(LinkTrouble::Unreachable);
                }
            }
            Event::Reconnecting(plan) => {
                self.attempt = plan.attempt;
                self.next_try = plan.delay_ms.map(|delay| now + delay);
                self.trouble = Some(match plan.delay_ms {
                    Some(_) => LinkTrouble::Unreachable,
                    None => LinkTrouble::Offline,
                });
            }
            Event::ReconnectFailed { .. } => self.trouble = Some(LinkTrouble::Unreachable),
            Event::TokenExpired => self.trouble = Some(LinkTrouble::SessionOver),
            Event::Closing(closing) if closing.code == CloseCode::Kicked.number() => {
                self.trouble = Some(LinkTrouble::Kicked(kick_reason(&closing.reason)));
            }
            Event::Disconnected(gone) if !gone.will_reconnect => {
                let told = self.trouble.is_some();
                if !told && gone.code == CloseCode::Kicked.number() {
                    self.trouble = Some(LinkTrouble::Kicked(String::new()));
                }
            }
            Event::Latency(ms) => self.latency_ms = Some(*ms),
            Event::QueueSize(size) => self.queued = *size,
            _ => {}
        }
    }
}

/// The word for programs is no reason that a person gave.
fn kick_reason(reason: &str) -> String {
    match reason {
        "kicked" => String::new(),
        given => given.strip_prefix("kicked: ").unwrap_or(given).to_owned(),
    }
}

fn state_of(status: Status) -> LinkState {
    match status {
        Status::Disconnected => LinkState::Disconnected,
        Status::Connecting => LinkState::Connecting,
        Status::Connected => LinkState::Connected,
        Status::Reconnecting => LinkState::Reconnecting,
        Status::Failed => LinkState::Failed,
    }
}

#[cfg(test)]
mod tests {
    use bmt_client_core::event::{Disconnected, Reconnecting, StateChange};
    use bmt_shared::event::Closing;

    use super::*;

    fn change(from: Status, to: Status, at: u64) -> Event<Payload> {
        Event::StateChange(StateChange {
            from,
            to,
            at,
            reason: None,
        })
    }

    #[test]
    fn a_lost_connection_counts_down_to_the_next_attempt() {
        let mut link = Link::default();
        link.apply(&change(Status::Connecting, Status::Connected, 0), 0);
        link.apply(&change(Status::Connected, Status::Reconnecting, 1_000), 1_000);
        let plan = Reconnecting {
            attempt: 2,
            delay_ms: Some(4_000),
        };
        link.apply(&Event::Reconnecting(plan), 1_000);
        assert_eq!((link.attempt, link.countdown(1_000)), (2, Some(4)));
        assert_eq!(link.shown(10_000), LinkState::Reconnecting);
        link.apply(&change(Status::Reconnecting, Status::Connected, 5_000), 5_000);
        assert_eq!((link.countdown(5_000), &link.trouble), (None, &None));
    }

    #[test]
    fn an_offline_device_is_told_apart_from_a_server_that_does_not_answer() {
        let mut link = Link::default();
        link.apply(
            &Event::Reconnecting(Reconnecting {
                attempt: 1,
                delay_ms: None,
            }),
            0,
        );
        assert_eq!(link.trouble, Some(LinkTrouble::Offline));
        assert_eq!(link.countdown(0), None);
    }

    #[test]
    fn a_kick_shows_the_reason_that_was_given() {
        let mut link = Link::default();
        link.apply(&change(Status::Connecting, Status::Connected, 0), 0);
        link.apply(
            &Event::Closing(Closing {
                code: 4_002,
                reason: "spam".to_owned(),
                retry_after_ms: None,
            }),
            5,
        );
        link.apply(
            &Event::Disconnected(Disconnected {
                code: 4_002,
                reason: String::new(),
                will_reconnect: false,
            }),
            6,
        );
        link.apply(&change(Status::Connected, Status::Disconnected, 6), 6);
        assert_eq!(link.trouble, Some(LinkTrouble::Kicked("spam".to_owned())));
        assert_eq!(link.shown(7), LinkState::Disconnected);
    }

    #[test]
    fn a_client_that_gave_up_says_why() {
        let mut link = Link::default();
        link.apply(&change(Status::Connecting, Status::Failed, 0), 0);
        assert_eq!(link.trouble, Some(LinkTrouble::Unreachable));
    }
}

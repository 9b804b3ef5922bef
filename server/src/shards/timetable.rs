//! When which channel wants to be looked at: one entry per channel.

use std::collections::{BTreeSet, HashMap};

use bmt_shared::channel::ChannelName;

#[derive(Default)]
pub(super) struct Timetable {
    by_time: BTreeSet<(u64, ChannelName)>,
    by_channel: HashMap<ChannelName, u64>,
}

impl Timetable {
    /// Notes that the channel wants to be looked at, at the latest then. An earlier note stands: a look too early
    /// does no harm and notes the next one, and a busy channel does not move its note with every message.
    pub(super) fn note(&mut self, channel: &ChannelName, at_ms: u64) {
        match self.by_channel.get(channel) {
            Some(&before) if before <= at_ms => return,
            Some(&before) => {
                self.by_time.remove(&(before, channel.clone()));
            }
            None => {}
        }
        self.by_channel.insert(channel.clone(), at_ms);
        self.by_time.insert((at_ms, channel.clone()));
    }

    /// The channel is gone.
    pub(super) fn strike(&mut self, channel: &ChannelName) {
        if let Some(at_ms) = self.by_channel.remove(channel) {
            self.by_time.remove(&(at_ms, channel.clone()));
        }
    }

    /// The earliest entry's time.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.by_time.first().map(|(at_ms, _)| *at_ms)
    }

    /// Takes out a channel whose time has come.
    pub(super) fn take_due(&mut self, now_ms: u64) -> Option<ChannelName> {
        if self.next_ms()? > now_ms {
            return None;
        }
        let (_, channel) = self.by_time.pop_first()?;
        self.by_channel.remove(&channel);
        Some(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_is_due_once_at_its_earliest_time() {
        let [a, b] = ["a", "b"].map(|name| ChannelName::parse(name).unwrap());
        let mut timetable = Timetable::default();
        timetable.note(&a, 30);
        timetable.note(&b, 20);
        timetable.note(&a, 10);
        timetable.note(&a, 40);
        assert_eq!(timetable.next_ms(), Some(10));
        assert_eq!(timetable.take_due(9), None);
        assert_eq!(timetable.take_due(15), Some(a.clone()));
        timetable.note(&a, 40);
        timetable.strike(&b);
        assert_eq!(timetable.take_due(99), Some(a));
        assert_eq!((timetable.take_due(99), timetable.next_ms()), (None, None));
    }
}

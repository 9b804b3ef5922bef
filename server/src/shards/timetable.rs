//! When which channel wants to be looked at: one entry per channel.

use std::collections::{BTreeSet, HashMap};

use bmt_shared::channel::ChannelName;

#[derive(Default)]
pub(super) struct Timetable {
    by_time: BTreeSet<(u64, ChannelName)>,
    by_channel: HashMap<ChannelName, u64>,
}

impl Timetable {
    /// Notes when the channel wants to be looked at; `None` strikes it out.
    pub(super) fn set(&mut self, channel: &ChannelName, at_ms: Option<u64>) {
        let before = self.by_channel.get(channel).copied();
        if before == at_ms {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, channel.clone()));
        }
        match at_ms {
            Some(at_ms) => {
                self.by_channel.insert(channel.clone(), at_ms);
                self.by_time.insert((at_ms, channel.clone()));
            }
            None => {
                self.by_channel.remove(channel);
            }
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
    fn each_channel_is_due_once_at_its_latest_time() {
        let [a, b] = ["a", "b"].map(|name| ChannelName::parse(name).unwrap());
        let mut timetable = Timetable::default();
        timetable.set(&a, Some(10));
        timetable.set(&b, Some(20));
        timetable.set(&a, Some(30));
        assert_eq!(timetable.next_ms(), Some(20));
        assert_eq!(timetable.take_due(19), None);
        assert_eq!(timetable.take_due(40), Some(b));
        timetable.set(&a, None);
        assert_eq!((timetable.take_due(40), timetable.next_ms()), (None, None));
    }
}

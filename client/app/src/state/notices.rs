//! Toasts: few at a time, equal ones merged, errors until they are dismissed (UX "Notifications").

use bmt_shared::event::Level;

/// Toasts shown at once; the rest is counted.
pub(crate) const VISIBLE: usize = 5;
/// Toasts kept at all; an older one gives way.
const MAX_TOASTS: usize = 50;
/// How long a toast that is no error stays, ms.
pub(crate) const LIFETIME_MS: u64 = 5_000;

/// A toast.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Toast {
    /// Its key.
    pub(crate) id: u32,
    /// How urgent it is.
    pub(crate) level: Level,
    /// What it says.
    pub(crate) text: String,
    /// How often it was said.
    pub(crate) count: u32,
    ends: Option<u64>,
}

/// The toasts, newest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Notices {
    toasts: Vec<Toast>,
    next_id: u32,
    paused_at: Option<u64>,
}

impl Notices {
    /// Shows a toast at `now`, or counts it where the same one is shown.
    pub(crate) fn push(&mut self, level: Level, text: String, now: u64) {
        let ends = (level != Level::Error).then_some(now + LIFETIME_MS);
        if let Some(same) = self
            .toasts
            .iter_mut()
            .find(|toast| toast.level == level && toast.text == text)
        {
            same.count += 1;
            same.ends = ends;
            return;
        }
        if self.toasts.len() == MAX_TOASTS {
            self.toasts.remove(0);
        }
        self.next_id += 1;
        self.toasts.push(Toast {
            id: self.next_id,
            level,
            text,
            count: 1,
            ends,
        });
    }

    /// Takes one away.
    pub(crate) fn dismiss(&mut self, id: u32) {
        self.toasts.retain(|toast| toast.id != id);
    }

    /// Takes away those whose time is over; nothing while paused.
    pub(crate) fn expire(&mut self, now: u64) {
        if self.paused_at.is_none() {
            self.toasts
                .retain(|toast| toast.ends.is_none_or(|ends| ends > now));
        }
    }

    /// When the next one ends; none while paused.
    #[must_use]
    pub(crate) fn next_end(&self) -> Option<u64> {
        match self.paused_at {
            Some(_) => None,
            None => self.toasts.iter().filter_map(|toast| toast.ends).min(),
        }
    }

    /// The pointer or the focus is on them: time stands still.
    pub(crate) fn pause(&mut self, now: u64) {
        self.paused_at.get_or_insert(now);
    }

    /// Time goes on from where it stood.
    pub(crate) fn resume(&mut self, now: u64) {
        let Some(paused) = self.paused_at.take() else {
            return;
        };
        for toast in &mut self.toasts {
            toast.ends = toast.ends.map(|ends| ends + now.saturating_sub(paused));
        }
    }

    /// Those to show, oldest first.
    #[must_use]
    pub(crate) fn visible(&self) -> &[Toast] {
        &self.toasts[..self.toasts.len().min(VISIBLE)]
    }

    /// How many more there are.
    #[must_use]
    pub(crate) fn hidden(&self) -> usize {
        self.toasts.len().saturating_sub(VISIBLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_five_are_shown_and_the_rest_is_counted() {
        let mut notices = Notices::default();
        for number in 0..20 {
            notices.push(Level::Info, number.to_string(), 0);
        }
        assert_eq!(notices.visible().len(), VISIBLE);
        assert_eq!(notices.hidden(), 15);
    }

    #[test]
    fn equal_ones_merge_and_live_on() {
        let mut notices = Notices::default();
        notices.push(Level::Info, "x".to_owned(), 0);
        notices.push(Level::Info, "x".to_owned(), 4_000);
        assert_eq!(notices.visible()[0].count, 2);
        notices.expire(5_000);
        assert_eq!(notices.visible().len(), 1);
        notices.expire(9_000);
        assert!(notices.visible().is_empty());
    }

    #[test]
    fn errors_stay_until_dismissed() {
        let mut notices = Notices::default();
        notices.push(Level::Error, "x".to_owned(), 0);
        notices.expire(1_000_000);
        let id = notices.visible()[0].id;
        notices.dismiss(id);
        assert!(notices.visible().is_empty());
    }

    #[test]
    fn time_stands_still_while_somebody_looks() {
        let mut notices = Notices::default();
        notices.push(Level::Warning, "x".to_owned(), 0);
        notices.pause(4_000);
        notices.expire(60_000);
        assert_eq!((notices.visible().len(), notices.next_end()), (1, None));
        notices.resume(60_000);
        assert_eq!(notices.next_end(), Some(61_000));
    }
}

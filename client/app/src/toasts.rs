//! A handle on the toasts: what happened elsewhere than where one looks. One of the app's three contexts.

use bmt_shared::event::Level;
use gloo_timers::callback::Timeout;
use leptos::prelude::*;

use crate::browser::clock;
use crate::state::notices::Notices;

/// The toasts. A copy is a handle.
#[derive(Clone, Copy)]
pub(crate) struct Toasts {
    notices: RwSignal<Notices>,
    timer: StoredValue<Option<Timeout>, LocalStorage>,
}

impl Toasts {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            notices: RwSignal::new(Notices::default()),
            timer: StoredValue::new_local(None),
        }
    }

    /// What to draw.
    pub(crate) fn notices(&self) -> ReadSignal<Notices> {
        self.notices.read_only()
    }

    /// Shows a toast.
    pub(crate) fn push(&self, level: Level, text: String) {
        self.change(|notices| notices.push(level, text, clock::steady()));
    }

    /// Takes one away.
    pub(crate) fn dismiss(&self, id: u32) {
        self.change(|notices| notices.dismiss(id));
    }

    /// Somebody looks at them.
    pub(crate) fn pause(&self) {
        self.change(|notices| notices.pause(clock::steady()));
    }

    /// Nobody does any more.
    pub(crate) fn resume(&self) {
        self.change(|notices| notices.resume(clock::steady()));
    }

    fn change(&self, change: impl FnOnce(&mut Notices)) {
        self.notices.try_update(change);
        self.wait_for_the_next_end();
    }

    fn wait_for_the_next_end(self) {
        let end = self.notices.try_with_untracked(Notices::next_end).flatten();
        let timer = end.map(|end| {
            let wait = u32::try_from(end.saturating_sub(clock::steady())).unwrap_or(u32::MAX - 1);
            Timeout::new(wait + 1, move || self.expire())
        });
        self.timer.try_set_value(timer);
    }

    fn expire(self) {
        self.notices.try_update(|notices| notices.expire(clock::steady()));
        self.wait_for_the_next_end();
    }
}

/// The toasts of this app.
pub(crate) fn use_toasts() -> Toasts {
    expect_context()
}

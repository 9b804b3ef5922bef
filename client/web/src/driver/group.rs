//! The run loop's side of a shared connection: the bus of the tabs and the lock that says who leads.

use std::rc::Rc;

use bmt_client_core::{Binding, Face, GroupChange};
use bmt_shared::id::UserId;

use super::{Driver, Told, Word};
use crate::bus::Bus;
use crate::locks::TabLock;
use crate::options::Options;
use crate::storage::Store;
use crate::warning::Warning;

/// Begins the names of bus and lock. Tabs with another version of the posts are another group.
const NAME: &str = "bmt_tabs_1";

/// The tabs that this one shares a connection with. It has left them once it is dropped.
pub(super) struct Group {
    bus: Bus,
    lock: TabLock,
}

/// Why an application that asked for a shared connection does not get one.
pub(super) fn unshared(options: &Options, store: Option<&Store>) -> Option<Warning> {
    let is_possible =
        options.config.binding == Binding::SocketIo && Bus::is_there() && TabLock::is_possible(store);
    (options.config.shared && !is_possible).then_some(NOT_SHARED)
}

const NOT_SHARED: Warning = Warning {
    code: "not_shared",
    message: "this tab connects by itself: sharing needs BroadcastChannel, Web Locks or storage with room, and Socket.IO",
};

impl<F: Face + 'static> Driver<F> {
    pub(super) fn change_group(self: &Rc<Self>, change: GroupChange) {
        match change {
            GroupChange::Join(user) => {
                let group = self.join(user.as_ref());
                *self.group.borrow_mut() = group;
                if let Some(group) = &*self.group.borrow() {
                    group.lock.acquire();
                }
            }
            GroupChange::Leave => {
                self.group.borrow_mut().take();
            }
            GroupChange::TakeOver => {
                if let Some(group) = &*self.group.borrow() {
                    group.lock.take_over();
                }
            }
            GroupChange::Post(post) => {
                if let Some(group) = &*self.group.borrow() {
                    group.bus.say(&post);
                }
            }
        }
    }

    /// Who leads without a lock that others would see shares with nobody: two such tabs would rob each other for ever.
    /// It is so until the next `connect`, or another user's.
    pub(super) fn share_only_under_lock(&self) {
        let is_alone = |group: &Group| !group.lock.is_exclusive();
        if self.group.borrow().as_ref().is_some_and(is_alone) {
            self.group.borrow_mut().take();
            if !self.is_told_alone.replace(true) {
                self.outbox.borrow_mut().push_back(Told::Warning(NOT_SHARED));
            }
        }
    }

    fn join(self: &Rc<Self>, user: Option<&UserId>) -> Option<Group> {
        let joined = self.joined.get().wrapping_add(1);
        self.joined.set(joined);
        let path = self.options.config.path.as_deref().unwrap_or_default();
        let mut name = [NAME, &*self.origin, path].join(" ");
        // No user is called like all guests.
        if let Some(user) = user {
            name.push(' ');
            name.push_str(user.as_str());
        }
        let weak = Rc::downgrade(self);
        let bus = Bus::open(&name, move |post| Self::hear(&weak, Word::Post(joined, post)));
        if bus.is_none() {
            // Alone on no bus, it leads.
            self.inbox.borrow_mut().push_back(Word::Leading(joined, true));
        }
        let weak = Rc::downgrade(self);
        let on_held = Rc::new(move |held| Self::hear(&weak, Word::Leading(joined, held)));
        let lock = TabLock::for_tabs(&name, self.journal.borrow().store(), on_held);
        Some(Group { bus: bus?, lock })
    }
}

//! The tabs of one person that share a connection: their lock, their posts, and the ones that hang.

use std::collections::VecDeque;

use bmt_client_core::{GroupChange, Post};

use super::{Happening, World};
use crate::record::Page;
use crate::server::Sabotage;
use crate::wire::Way;

/// How long a tab hangs: shorter than it takes to rob it, or longer.
const HANG_MS: std::ops::RangeInclusive<u64> = 1_000..=40_000;

/// One person's group.
#[derive(Default)]
pub(super) struct Group {
    members: Vec<Page>,
    holder: Option<Page>,
    line: VecDeque<Page>,
    /// When the last post arrives: a bus keeps the order.
    arrives_at: u64,
}

impl World {
    pub(super) fn change_group(&mut self, tab: usize, change: GroupChange) {
        let (person, page) = (self.tabs[tab].person, self.tabs[tab].page());
        match change {
            GroupChange::Join(_) => {
                self.groups[person].members.push(page);
                self.groups[person].line.push_back(page);
                self.grant_lead(person);
            }
            GroupChange::Leave => self.leave_group(tab),
            GroupChange::TakeOver => {
                let group = &mut self.groups[person];
                group.line.retain(|other| *other != page);
                if let Some((tab, load)) = group.holder.replace(page) {
                    self.outcome.robberies += 1;
                    let leads = false;
                    self.at(self.now, Happening::Leading { tab, load, leads });
                }
                self.tell_lead(page);
            }
            GroupChange::Post(post) => self.say(person, page, &post),
        }
    }

    fn say(&mut self, person: usize, from: Page, post: &Post) {
        let delay = self.stalls.within(0..=3);
        let group = &mut self.groups[person];
        group.arrives_at = group.arrives_at.max(self.now + delay);
        let at = group.arrives_at;
        for (tab, load) in group.members.clone() {
            if (tab, load) != from {
                let post = post.clone();
                self.at(at, Happening::Post { tab, load, post });
            }
        }
    }

    pub(super) fn post_arrives(&mut self, tab: usize, load: u32, post: &Post) {
        let page = (tab, load);
        if self.tabs[tab].load == load && self.groups[self.tabs[tab].person].members.contains(&page) {
            let now = self.tabs[tab].now_at(self.now);
            self.tabs[tab]
                .client
                .handle_post(now, &post.text, &post.attachments);
            self.settle(tab);
        }
    }

    pub(super) fn lead_changes(&mut self, tab: usize, load: u32, leads: bool) {
        let holds = self.groups[self.tabs[tab].person].holder == Some((tab, load));
        if self.tabs[tab].load == load && holds == leads {
            self.outcome.reigns += u64::from(leads);
            let now = self.tabs[tab].now_at(self.now);
            self.tabs[tab].client.handle_leading(now, leads);
            self.settle(tab);
        }
    }

    /// The page is gone, or has left: the host hands its lock on.
    pub(super) fn leave_group(&mut self, tab: usize) {
        let (person, page) = (self.tabs[tab].person, self.tabs[tab].page());
        let group = &mut self.groups[person];
        group.members.retain(|other| *other != page);
        group.line.retain(|other| *other != page);
        if group.holder == Some(page) {
            group.holder = None;
            self.grant_lead(person);
        }
    }

    fn grant_lead(&mut self, person: usize) {
        let group = &mut self.groups[person];
        if group.holder.is_none()
            && let Some(next) = group.line.pop_front()
        {
            group.holder = Some(next);
            self.tell_lead(next);
        }
    }

    fn tell_lead(&mut self, (tab, load): Page) {
        let at = self.now + self.stalls.within(0..=5);
        let leads = true;
        self.at(at, Happening::Leading { tab, load, leads });
    }

    /// Some of the tabs that share a connection hang once.
    pub(super) fn plan_hangs(&mut self) {
        for tab in 0..self.tabs.len() {
            if self.tabs[tab].shares && self.stalls.per_mille(300) {
                let at = self.stalls.within(0..=self.plan.trouble_ms);
                self.at(at, Happening::Hang { tab });
            }
        }
    }

    /// A tab does nothing for a while, and nobody is told.
    pub(super) fn hang(&mut self, tab: usize) {
        self.hangs[tab] = self.now + self.stalls.within(HANG_MS);
    }

    /// When the tab wakes whose happening this is; `None` where it is awake.
    pub(super) fn wakes_at(&self, happening: &Happening) -> Option<u64> {
        let tab = match happening {
            Happening::Timer { tab, .. }
            | Happening::Act { tab }
            | Happening::Lock { tab, .. }
            | Happening::Post { tab, .. }
            | Happening::Leading { tab, .. } => *tab,
            Happening::Opened { wire }
            | Happening::Refused { wire }
            | Happening::Frame {
                wire, way: Way::Down, ..
            }
            | Happening::Closed { wire, way: Way::Down } => self.wires.get(wire)?.tab,
            Happening::Hard(hard) => hard.tab()?,
            _ => return None,
        };
        Some(self.hangs[tab]).filter(|until| *until > self.now)
    }

    /// The planted fault: the connection of a person lets go of a channel that its tabs hold.
    pub(super) fn forget_hold(&mut self, tab: usize, topic: &str) {
        let leader = self.groups[self.tabs[tab].person].holder;
        if self.server.sabotage == Sabotage::ForgetHolds
            && let Some((leader, _)) = leader
            && let Some(wire) = self.tabs[leader].wire
        {
            let frame = format!(r#"42["unsubscribe",{{"topic":"{topic}"}}]"#);
            self.send(wire, Way::Up, frame);
        }
    }
}

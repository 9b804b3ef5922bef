//! What a run is made harder by: rights that are taken, restarts, tokens that end and come late, HTTP.

use bmt_client_core::{Fetch, FetchId};
use bmt_shared::id::UserId;

use super::polled::Answer;
use super::{Happening, World};
use crate::record::Violation;
use crate::server::{Sabotage, Verdict};
use crate::wire::WireId;

/// How long a right is away: shorter than lines may stand still, so that it may be back before its loss is heard of.
const AWAY_MS: std::ops::RangeInclusive<u64> = 3_000..=12_000;
/// How long until a person logs in again.
const LOG_IN_MS: std::ops::RangeInclusive<u64> = 500..=4_000;
/// When a server that restarts wants everybody back.
const RETRY_AFTER_MS: std::ops::RangeInclusive<u64> = 100..=3_000;

/// How long after everything healed a token may still end that was given before, or whose refresh was lost, ms: longer
/// than any lives.
const SHAKEN_MS: u64 = 60_000;

#[derive(Debug)]
pub(super) enum Hard {
    /// A request of long-polling reaches the server, and its answer the tab.
    Asked {
        tab: usize,
        load: u32,
        fetch: Fetch,
    },
    Answered {
        tab: usize,
        load: u32,
        id: FetchId,
        answer: Answer,
    },
    /// Somebody loses the right to a channel, and gets it back.
    Loss,
    Return {
        person: usize,
        topic: usize,
    },
    Restart,
    /// The application has its token.
    Token {
        tab: usize,
        load: u32,
    },
    /// The server looks after a connection's token.
    Alarm {
        wire: WireId,
    },
    LogIn {
        tab: usize,
        load: u32,
    },
}

impl Hard {
    /// In which tab it happens.
    pub(super) fn tab(&self) -> Option<usize> {
        match self {
            Self::Answered { tab, .. } | Self::Token { tab, .. } | Self::LogIn { tab, .. } => Some(*tab),
            _ => None,
        }
    }
}

impl World {
    pub(super) fn plan_hardships(&mut self) {
        let trouble_ms = self.plan.trouble_ms;
        for _ in 0..self.hardships.losses {
            let at = self.chance.within(500..=trouble_ms);
            self.at(at, Happening::Hard(Hard::Loss));
        }
        for _ in 0..self.hardships.restarts {
            let at = self.chance.within(500..=trouble_ms);
            self.at(at, Happening::Hard(Hard::Restart));
        }
    }

    pub(super) fn suffer(&mut self, hard: Hard) {
        match hard {
            Hard::Asked { tab, load, fetch } => self.asked(tab, load, fetch),
            Hard::Answered {
                tab,
                load,
                id,
                answer,
            } => self.answered(tab, load, id, &answer),
            Hard::Loss => self.take_right(),
            Hard::Return { person, topic } => self.give_right(person, topic),
            Hard::Restart => {
                let retry_after_ms = self.chance.within(RETRY_AFTER_MS);
                self.outcome.restarts += 1;
                self.server.restart(retry_after_ms, self.now);
                self.send_out();
            }
            Hard::Token { tab, load } if self.tabs[tab].load == load => {
                self.tabs[tab].take_token(self.now);
                self.settle(tab);
            }
            Hard::Alarm { wire } => {
                self.server.alarm(wire, self.now);
                self.send_out();
            }
            Hard::LogIn { tab, load } if self.tabs[tab].load == load => self.log_in(tab),
            Hard::Token { .. } | Hard::LogIn { .. } => {}
        }
    }

    /// The application is asked for a token.
    pub(super) fn ask_token(&mut self, tab: usize) {
        let is_refresh = self.tabs[tab].client.connected().is_some();
        if is_refresh && self.server.sabotage == Sabotage::ForgetRefresh {
            return;
        }
        let most = if self.in_trouble {
            self.hardships.token_delay_ms
        } else {
            0
        };
        let (load, delay) = (self.tabs[tab].load, self.chance.within(0..=most));
        self.at(self.now + delay, Happening::Hard(Hard::Token { tab, load }));
    }

    /// A tab whose token was refused for good shows its login, and somebody logs in.
    pub(super) fn mind_login(&mut self, tab: usize) {
        if !self.tabs[tab].access.take_logged_out() {
            return;
        }
        self.outcome.logouts += 1;
        let load = self.tabs[tab].load;
        let in_ms = if self.server.sabotage == Sabotage::KnockOn {
            0
        } else {
            self.chance.within(LOG_IN_MS)
        };
        self.at(self.now + in_ms, Happening::Hard(Hard::LogIn { tab, load }));
    }

    fn log_in(&mut self, tab: usize) {
        // The planted fault: nobody is asked.
        if self.server.sabotage != Sabotage::KnockOn {
            self.tabs[tab].access.log_in();
        }
        let now = self.tabs[tab].now_at(self.now);
        self.tabs[tab].client.connect(now);
        self.settle(tab);
    }

    /// What the server said to tokens.
    pub(super) fn note_verdicts(&mut self) {
        for (wire, verdict) in std::mem::take(&mut self.server.verdicts) {
            let tab = match (self.wires.get(&wire), self.polled.get(&wire)) {
                (Some(wire), _) => wire.tab,
                (None, Some(session)) => session.tab(),
                (None, None) => continue,
            };
            let access = &mut self.tabs[tab].access;
            match verdict {
                Verdict::Ended if self.now > self.plan.trouble_ms + SHAKEN_MS && !access.is_fixed => {
                    let what = format!("tab {tab} let its token end");
                    self.record.violated(Violation::NotRefreshed(what));
                }
                Verdict::Admitted => access.admit(),
                Verdict::Refused if access.is_refused() => {
                    let what = format!("tab {tab} came back with one more token that had ended");
                    self.record.violated(Violation::KnockedAgain(what));
                }
                Verdict::Refused | Verdict::Ended => {}
            }
        }
        for (wire, at) in std::mem::take(&mut self.server.alarms) {
            self.at(at.max(self.now), Happening::Hard(Hard::Alarm { wire }));
        }
    }

    fn user_of(&self, person: usize) -> UserId {
        let mut tabs = self.tabs.iter();
        let tab = tabs.find(|tab| tab.person == person);
        tab.expect("everybody has a tab").user.clone()
    }

    fn take_right(&mut self) {
        let person = index(self.chance.within(0..=self.plan.people.len() as u64 - 1));
        let topic = index(self.chance.within(0..=self.topics.len() as u64 - 1));
        self.outcome.rights_lost += 1;
        let user = self.user_of(person);
        self.server.take_right(&user, &self.topics[topic], self.now);
        self.send_out();
        let at = self.now + self.chance.within(AWAY_MS);
        self.at(at, Happening::Hard(Hard::Return { person, topic }));
    }

    fn give_right(&mut self, person: usize, topic: usize) {
        let user = self.user_of(person);
        self.server.give_right(&user, &self.topics[topic], self.now);
        self.send_out();
    }

    /// Tokens live, WebSockets open, everybody has every right; who was told to have lost a channel asks for it again.
    pub(super) fn heal_hardships(&mut self) {
        for person in 0..self.plan.people.len() {
            for topic in 0..self.topics.len() {
                self.give_right(person, topic);
            }
        }
        for tab in &mut self.tabs {
            tab.access.heal();
            for topic in tab.access.lost.clone() {
                tab.subscribe(self.now, &topic);
            }
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("a small number")
}

//! One connection for the tabs of a browser: joining them, following a leader, and taking its place.
//!
//! What a leader does for the others is in [`super::hosting`].

use bmt_shared::close::{AfterClose, CloseCode};
use bytes::Bytes;

use crate::client::Client;
use crate::client::carrying::Carrier;
use crate::connection::{Host, Phase};
use crate::face::Face;
use crate::now::Now;
use crate::output::{Frame, Output, Transmit};
use crate::state::Status;
use crate::tabs::{
    ALL, GroupChange, GroupStanding, Kind, LAST_WORDS_MS, Post, ROBBERIES_MAX, Said, TAKE_OVER_SPREAD_MS,
    TabLink,
};
use crate::token;

impl<F: Face> Client<F> {
    /// This tab has the lock of its group, and with it the connection; or has lost it to another, which took it over.
    pub fn handle_leading(&mut self, now: Now, leads: bool) {
        self.set_now(now);
        if leads && self.is_behind_a_tab() && self.online().is_some() {
            self.tabs.leads_at = Some(self.after(LAST_WORDS_MS));
        } else {
            self.change_lead(leads);
        }
    }

    fn change_lead(&mut self, leads: bool) {
        self.tabs.leads_at = None;
        match std::mem::take(&mut self.tabs.standing) {
            GroupStanding::Follows(user) if leads => {
                self.tabs.standing = GroupStanding::Leads(user);
                self.tabs.seen = self.tabs.seen.saturating_add(1).max(self.now.unix_ms);
                self.announce();
                match self.connection.phase {
                    // It was looking for a leader.
                    Phase::Opening { .. } if self.is_behind_a_tab() => {
                        self.begin_opening();
                        self.open_carrier();
                    }
                    Phase::Waiting { .. } if self.connection.host == Host::Online => self.retry_early(),
                    _ => self.leader_changed("the tab that held the connection is gone"),
                }
            }
            GroupStanding::Leads(_) if !leads => self.robbed(),
            // It was to lead when another took the lock: stands in line again.
            GroupStanding::Follows(user) if !leads => {
                self.outputs.push_back(Output::Group(GroupChange::Leave));
                self.outputs
                    .push_back(Output::Group(GroupChange::Join(user.clone())));
                self.tabs.standing = GroupStanding::Follows(user);
            }
            standing => self.tabs.standing = standing,
        }
    }

    /// The page is left or frozen: the others must not wait for this tab, which comes back when it is
    /// [seen](Self::handle_visible) again. Without a shared connection nothing happens.
    pub fn handle_leaving(&mut self, now: Now) {
        self.set_now(now);
        if self.tabs.standing == GroupStanding::Out {
            return;
        }
        let why = "the page is left";
        self.say_farewell();
        self.close_transport(CloseCode::Normal, why);
        self.end(CloseCode::GoingAway.number(), why, true);
        self.leave_group();
        self.connection.phase = Phase::Waiting { retry_at: None };
        self.connection.state.next_retry_at = None;
        self.set_status(Status::Reconnecting, Some(why.to_owned()));
    }

    /// Another tab of the group said this.
    pub fn handle_post(&mut self, now: Now, text: &str, attachments: &[Bytes]) {
        self.set_now(now);
        let Some(said) = Said::read(text) else { return };
        if self.tabs.standing == GroupStanding::Out || (said.to != ALL && said.to != self.tabs.id) {
            return;
        }
        if !said.kind.is_leaders() {
            if self.tabs.leads() {
                self.handle_follower(&said, attachments);
            }
            return;
        }
        if self.tabs.leads() {
            return self.handle_rival(&said);
        }
        if said.term < self.tabs.seen {
            return;
        }
        self.tabs.seen = said.term;
        self.handle_leader(&said, attachments);
        self.lead_if_due();
    }

    /// Leads, where the lock is had and nobody else's last words are waited for.
    pub(super) fn lead_if_due(&mut self) {
        let Some(at) = self.tabs.leads_at else { return };
        if self.is_due(at) || self.online().is_none() {
            self.change_lead(true);
        }
    }

    /// The way to the server leads over another tab, or may. False where this tab opens a transport of its own.
    pub(super) fn open_behind_a_tab(&mut self) -> bool {
        let is_soon = self.now.monotonic_ms < self.tabs.robbed_until;
        if !self.config.shared || (is_soon && self.tabs.robberies >= ROBBERIES_MAX) {
            return false;
        }
        let user = match &self.connection.token {
            None => None,
            // Whose token it is cannot be told, so it is nobody else's.
            Some(token) => match token::subject(token) {
                None => {
                    self.leave_group();
                    return false;
                }
                user => user,
            },
        };
        match &self.tabs.standing {
            GroupStanding::Leads(known) if *known == user => return false,
            GroupStanding::Follows(known) if *known == user => {}
            _ => {
                self.leave_group();
                while self.tabs.id == ALL {
                    self.tabs.id = self.random.bits();
                }
                self.outputs
                    .push_back(Output::Group(GroupChange::Join(user.clone())));
                self.tabs.standing = GroupStanding::Follows(user);
                self.tabs.seen = 0;
            }
        }
        self.carrier = Carrier::Tab(TabLink::default());
        self.say_hello();
        true
    }

    pub(super) fn is_behind_a_tab(&self) -> bool {
        matches!(self.carrier, Carrier::Tab(_))
    }

    /// The server's time as a leader told it, ms since the Unix epoch; its greeting is of an earlier time.
    pub(super) fn tabs_server_ms(&self) -> Option<u64> {
        match &self.carrier {
            Carrier::Tab(link) => Some(link.server_ms),
            _ => None,
        }
    }

    /// Nobody has answered the hello in time; false where this tab opens a transport of its own.
    pub(super) fn leader_is_silent(&mut self) -> bool {
        let Carrier::Tab(link) = &mut self.carrier else {
            return false;
        };
        if std::mem::take(&mut link.is_patient) {
            self.say_hello();
        } else {
            self.outputs.push_back(Output::Group(GroupChange::TakeOver));
            self.begin_opening();
        }
        true
    }

    /// The leader answers no more; false where this tab has a transport of its own.
    pub(super) fn leader_hangs(&mut self) -> bool {
        let hangs = self.is_behind_a_tab();
        if hangs {
            self.outputs.push_back(Output::Group(GroupChange::TakeOver));
            self.leader_changed("the tab that held the connection does not answer");
        }
        hangs
    }

    /// Leaves the others. Who led tells them, so that one of them does at once.
    pub(super) fn leave_group(&mut self) {
        if self.tabs.leads() {
            self.post(Kind::Gone, ALL, "", &[]);
        }
        self.tabs.hub.clear();
        self.tabs.leads_at = None;
        if self.tabs.standing != GroupStanding::Out {
            self.tabs.standing = GroupStanding::Out;
            self.outputs.push_back(Output::Group(GroupChange::Leave));
        }
    }

    pub(super) fn post(&mut self, kind: Kind, to: u64, content: &str, attachments: &[Bytes]) {
        let said = Said {
            kind,
            from: self.tabs.id,
            to,
            term: self.tabs.seen,
            content,
        };
        let post = Post {
            text: said.write(),
            attachments: attachments.to_vec(),
        };
        self.outputs.push_back(Output::Group(GroupChange::Post(post)));
    }

    /// Says a request to the tab that leads; its frames come back where this tab has a transport of its own.
    pub(super) fn say_to_leader(&mut self, frames: Vec<Transmit>) -> Option<Vec<Transmit>> {
        let Carrier::Tab(link) = &self.carrier else {
            return Some(frames);
        };
        let leader = link.leader;
        let mut text = String::new();
        let mut attachments = Vec::new();
        for frame in frames {
            self.count_sent(&frame);
            match frame {
                Transmit::Text(frame) => text = frame,
                Transmit::Binary(bytes) => attachments.push(bytes),
            }
        }
        self.post(Kind::Up, leader, &text, &attachments);
        None
    }

    fn say_hello(&mut self) {
        self.post(Kind::Hello, ALL, "", &[]);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a second"
        )]
        let spread_ms = (self.random.unit() * TAKE_OVER_SPREAD_MS as f64) as u64;
        let until = self.after(self.config.pong_timeout_ms + spread_ms);
        self.connection.phase = Phase::Opening { until };
    }

    /// The tab that leads says something to this one, or to all.
    fn handle_leader(&mut self, said: &Said<'_>, attachments: &[Bytes]) {
        let is_opening = matches!(self.connection.phase, Phase::Opening { .. });
        let until = self.after(self.config.pong_timeout_ms);
        let Carrier::Tab(link) = &mut self.carrier else {
            // Between two attempts: the connection is there, so the next one need not wait.
            if said.kind == Kind::Gone || (said.kind == Kind::Lead && said.content == "1") {
                self.retry_waiting();
            }
            return;
        };
        if is_opening {
            match said.kind {
                Kind::Lead => self.say_hello(),
                Kind::Patience => {
                    link.is_patient = true;
                    self.connection.phase = Phase::Opening { until };
                }
                Kind::Welcome => {
                    let (time, greeting) = said.content.split_once(' ').unwrap_or_default();
                    link.leader = said.from;
                    link.server_ms = bmt_shared::codec::json::integer(time).unwrap_or_default();
                    self.begin_greeting();
                    self.handle_event("connected", greeting, &[]);
                }
                Kind::NoRoom => {
                    self.leave_group();
                    self.begin_opening();
                    self.open_transport();
                }
                Kind::Ended => self.leader_lost(said.content),
                _ => {}
            }
            return;
        }
        match said.kind {
            Kind::Lead if said.from == link.leader => {}
            Kind::Lead | Kind::Gone => self.leader_changed("another tab holds the connection from here on"),
            _ if said.from != link.leader => {}
            Kind::Unknown => self.leader_changed("the tab that holds the connection begins anew"),
            Kind::Ended => self.leader_lost(said.content),
            Kind::Down => {
                self.hear(Frame::Text(said.content));
                for bytes in attachments {
                    self.hear(Frame::Binary(bytes));
                }
            }
            _ => {}
        }
    }

    fn hear(&mut self, frame: Frame<'_>) {
        if self.is_behind_a_tab() && self.connection.has_transport() {
            self.receive(frame);
        }
    }

    /// The way over a tab is at its end, and another one is open at once.
    fn leader_changed(&mut self, why: &'static str) {
        if !self.is_behind_a_tab() || !self.connection.has_transport() {
            return;
        }
        self.move_over(why);
    }

    /// Ends what lived on the transport and takes another one at once, where the policy lets it come back at all.
    fn move_over(&mut self, why: &str) {
        let code = CloseCode::GoingAway.number();
        if self.config.reconnect.allows(0) {
            self.end(code, why, true);
            self.set_status(Status::Reconnecting, Some(why.to_owned()));
            self.retry_early();
        } else {
            self.lost(code, why, AfterClose::Reconnect);
        }
    }

    /// The leader's connection, or its attempt, is over: so is this tab's, for the same reason.
    fn leader_lost(&mut self, content: &str) {
        let Some(ended) = Ended::read(content) else { return };
        self.note_retry_after(Some(ended.wait_ms));
        match ended.after {
            // That was the leader's token; every attempt asks for this tab's own.
            AfterClose::ReconnectWithNewToken => {
                self.end(ended.code, ended.reason, true);
                self.set_status(Status::Reconnecting, Some(ended.reason.to_owned()));
                self.retry_early();
            }
            AfterClose::DropMessageAndReconnect if ended.blamed != self.tabs.id => {
                self.lost(ended.code, ended.reason, AfterClose::Reconnect);
            }
            after => self.lost(ended.code, ended.reason, after),
        }
    }

    fn retry_waiting(&mut self) {
        if matches!(self.connection.phase, Phase::Waiting { .. }) && self.connection.host == Host::Online {
            self.retry_early();
        }
    }

    /// Another tab has taken the lock: this one hung, or was thought to.
    pub(super) fn robbed(&mut self) {
        self.tabs.standing = GroupStanding::Out;
        self.tabs.hub.clear();
        self.outputs.push_back(Output::Group(GroupChange::Leave));
        if self.connection.has_transport() {
            let why = "another tab holds the connection from here on";
            self.say_farewell();
            self.close_transport(CloseCode::Normal, why);
            self.move_over(why);
        }
    }
}

/// How the leader's connection ended.
pub(super) struct Ended<'t> {
    pub(super) code: u16,
    /// How long the server wants to be left alone, ms.
    pub(super) wait_ms: u64,
    pub(super) after: AfterClose,
    /// Whose message was too large.
    pub(super) blamed: u64,
    pub(super) reason: &'t str,
}

const AFTERS: [AfterClose; 4] = [
    AfterClose::Reconnect,
    AfterClose::ReconnectWithNewToken,
    AfterClose::DropMessageAndReconnect,
    AfterClose::Stay,
];

impl<'t> Ended<'t> {
    fn read(content: &'t str) -> Option<Self> {
        let mut fields = content.splitn(5, ' ');
        let mut number = || bmt_shared::codec::json::integer(fields.next()?);
        let (code, wait_ms, after, blamed) = (number()?, number()?, number()?, number()?);
        Some(Self {
            code: u16::try_from(code).ok()?,
            wait_ms,
            after: *AFTERS.get(usize::try_from(after).ok()?)?,
            blamed,
            reason: fields.next()?,
        })
    }

    pub(super) fn write(&self) -> String {
        let (after, wait_ms) = match self.after {
            // Everybody who waits so long comes back as usual then.
            AfterClose::ReconnectAfter(ms) => (0, self.wait_ms.max(ms)),
            after => (
                AFTERS.iter().position(|known| *known == after).unwrap_or(0),
                self.wait_ms,
            ),
        };
        let mut content = String::new();
        for number in [u64::from(self.code), wait_ms, after as u64, self.blamed] {
            bmt_shared::json::write_number(&mut content, number);
            content.push(' ');
        }
        content.push_str(self.reason);
        content
    }
}

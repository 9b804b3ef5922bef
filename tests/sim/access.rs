//! What one tab may: its tokens, the channels it has lost, and what it may connect by.

use std::collections::BTreeSet;

use bmt_client_core::Transports;
use bmt_shared::channel::ChannelName;

use crate::hardship::Hardships;
use crate::random::Random;
use crate::server::Sabotage;
use crate::tab::UNIX_START_MS;
use crate::token::Token;

/// A refused token is asked for once more, and not a third time (SPEC §9).
const REFUSALS: u32 = 2;
/// What the tabs of [`Sabotage::KnockOn`] are given instead of the seed's.
const SHORT_LIFE_MS: u64 = 33_000;
const MOSTLY_STALE: u64 = 900;

/// See the [module](self).
pub(crate) struct Access {
    /// Until when no WebSocket opens for the tab, ms.
    blocked_until: Option<u64>,
    /// Channels that the tab was told to have lost, and has not asked for again.
    pub(crate) lost: BTreeSet<ChannelName>,
    person: usize,
    token_life_ms: Option<u64>,
    stale_tokens: u64,
    random: Random,
    /// The application has one token, and no source of others.
    pub(crate) is_fixed: bool,
    held: Option<Token>,
    login: Login,
    /// Refusals in a row that were heard since somebody wanted a connection.
    refused: u32,
}

/// Whether the tab shows its login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Hidden,
    /// It is to be shown.
    Due,
}

impl Access {
    pub(crate) fn new(hardships: &Hardships, person: usize, trouble_ms: u64, mut random: Random) -> Self {
        let until = random.within(1_000..=trouble_ms);
        Self {
            blocked_until: random.per_mille(hardships.blocked).then_some(until),
            lost: BTreeSet::new(),
            person,
            token_life_ms: hardships.token_life_ms,
            stale_tokens: hardships.stale_tokens,
            is_fixed: random.per_mille(hardships.fixed_tokens),
            held: None,
            login: Login::Hidden,
            refused: 0,
            random,
        }
    }

    pub(crate) fn sabotaged(mut self, sabotage: Sabotage) -> Self {
        if sabotage == Sabotage::KnockOn {
            self.token_life_ms = Some(SHORT_LIFE_MS);
            self.stale_tokens = MOSTLY_STALE;
            self.is_fixed = false;
        }
        self
    }

    /// What the tab may connect by.
    pub(crate) fn transports(&self) -> Transports {
        match self.blocked_until {
            Some(_) => Transports::Any,
            None => Transports::WebSocket,
        }
    }

    /// Whether no WebSocket opens for the tab at this time, ms.
    pub(crate) fn is_blocked(&self, now: u64) -> bool {
        self.blocked_until.is_some_and(|until| now < until)
    }

    /// What the application answers when it is asked for a token.
    pub(crate) fn token(&mut self, now: u64) -> String {
        let token = match self.held.filter(|_| self.is_fixed) {
            Some(held) => held,
            None => Token {
                person: self.person,
                number: self.random.bits(),
                ends_at_ms: self.token_life_ms.map(|life_ms| {
                    if self.random.per_mille(self.stale_tokens) {
                        UNIX_START_MS
                    } else {
                        UNIX_START_MS + now + life_ms
                    }
                }),
            },
        };
        self.held = Some(token);
        token.write()
    }

    /// Somebody wants a connection: what was refused before does not count.
    pub(crate) fn begin(&mut self) {
        self.refused = 0;
        self.login = Login::Hidden;
    }

    /// Somebody logs in, with a password: the next token is a new one.
    pub(crate) fn log_in(&mut self) {
        self.held = None;
        self.begin();
    }

    pub(crate) fn log_out(&mut self) {
        self.login = Login::Due;
    }

    /// Whether the tab is to show its login; once.
    pub(crate) fn take_logged_out(&mut self) -> bool {
        std::mem::replace(&mut self.login, Login::Hidden) == Login::Due
    }

    /// The tab hears that its token is refused.
    pub(crate) fn refuse(&mut self) {
        self.refused += 1;
    }

    /// Whether it has heard that so often that it must not come back by itself.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused >= if self.is_fixed { 1 } else { REFUSALS }
    }

    /// A token was taken.
    pub(crate) fn admit(&mut self) {
        self.refused = 0;
    }

    /// From here on tokens live when they are given, and as long as they are needed where there is one only.
    pub(crate) fn heal(&mut self) {
        self.stale_tokens = 0;
        self.blocked_until = self.blocked_until.map(|_| 0);
        if self.is_fixed {
            self.token_life_ms = None;
        }
        self.log_in();
    }
}

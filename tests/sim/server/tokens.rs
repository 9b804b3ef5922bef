//! Whom the server lets in, and for how long.

use bmt_server_core::session::Due;
use bmt_shared::close::CloseCode;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::{ServerEvent, TokenExpiring};
use bmt_shared::id::UserId;
use bmt_shared::identity::User;
use bmt_shared::reply::Reply;

use super::{Server, Verdict};
use crate::tab::UNIX_START_MS;
use crate::token::Token;
use crate::wire::WireId;

impl Server {
    /// Whose token it is and when it ends; `None` where it has ended.
    pub(super) fn verify(&self, token: &str, now: u64) -> Option<(User, Option<u64>)> {
        let token = Token::read(token);
        let has_ended = token.ends_at_ms.is_some_and(|end| end <= UNIX_START_MS + now);
        let user = UserId::new(&format!("person{}", token.person));
        (!has_ended).then(|| (self.user(&user), token.ends_at_ms))
    }

    pub(super) fn refuse_token(&mut self, wire: WireId) {
        self.verdicts.push((wire, Verdict::Refused));
        let refusal = r#"44{"message":"Authentication failed: expired","data":{"code":"authentication_failed","reason":"expired"}}"#;
        self.send(wire, refusal.to_owned());
    }

    /// The answer to `refresh`.
    pub(super) fn refresh(&mut self, wire: WireId, token: &str, now: u64) -> Reply {
        let refused = Failure::new(ErrorCode::AuthenticationFailed, "expired");
        let Some((user, ends_at_ms)) = self.verify(token, now) else {
            return Reply::Failed(refused);
        };
        let Some(session) = self.session(wire) else {
            return Reply::Failed(refused);
        };
        match session.refresh(user.into(), ends_at_ms, UNIX_START_MS + now) {
            Ok(lost) => {
                self.take_subscriptions(wire, &lost, now);
                self.set_alarm(wire);
                Reply::Done
            }
            Err(failure) => Reply::Failed(failure),
        }
    }

    /// Has the world come back when something is due.
    pub(super) fn set_alarm(&mut self, wire: WireId) {
        let due = self
            .session(wire)
            .and_then(|session| session.expiry().deadline_ms());
        if let Some(due) = due {
            self.alarms.push((wire, due.saturating_sub(UNIX_START_MS)));
        }
    }

    /// Tells of a token that ends, and ends the connection when it has.
    pub(crate) fn alarm(&mut self, wire: WireId, now: u64) {
        let unix_ms = UNIX_START_MS + now;
        let due = self
            .session(wire)
            .and_then(|session| session.expiry().poll(unix_ms));
        match due {
            Some(Due::Notice { expires_at_ms }) => {
                let expires_at = expires_at_ms;
                self.say(wire, &ServerEvent::TokenExpiring(TokenExpiring { expires_at }));
                self.set_alarm(wire);
            }
            Some(Due::Expired) => {
                self.verdicts.push((wire, Verdict::Ended));
                self.say_closing(wire, CloseCode::TokenExpired, "token_expired", None);
                self.send(wire, "41".to_owned());
                self.close(wire, now);
            }
            None => {}
        }
    }
}

//! `refresh {token}`: a live connection goes on with a new token of the same user (SPEC §2).

use std::sync::Arc;

use bmt_shared::close::CloseCode;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::reply::Reply;

use super::Connection;
use super::link::Open;
use crate::outbox::ReplyTo;

impl Connection {
    /// Checks the token and takes it over: what follows is decided by it.
    pub(super) fn refresh(&self, open: &mut Open, to: ReplyTo, token: &str, now_ms: u64) {
        let identity = match self.context.node.authenticator.authenticate(Some(token), now_ms) {
            Ok(identity) => identity,
            Err(reason) => {
                let failure = Failure::new(ErrorCode::AuthenticationFailed, reason.to_string());
                return self.refuse(to, failure);
            }
        };
        match open
            .session
            .refresh(Arc::new(identity.user), identity.expires_at_ms)
        {
            Ok(lost) => {
                open.grant = identity.grant;
                self.note_deadline(open);
                self.reply(to, Reply::Done);
                self.drop_subscriptions(lost, "your new token grants less");
            }
            Err(failure) => {
                self.refuse(to, failure);
                self.close(CloseCode::Policy, "another_user", None);
            }
        }
    }
}

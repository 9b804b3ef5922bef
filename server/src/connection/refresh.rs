//! `refresh {token}`: a live connection goes on with a new token of the same user (SPEC §2).

use std::sync::Arc;

use bmt_shared::close::CloseCode;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::reply::Reply;

use super::Connection;
use super::link::Open;
use crate::outbox::ReplyTo;

impl Connection {
    /// Checks the token and takes it over: what follows is decided by it. Where its key is not known yet, what
    /// follows meanwhile is decided by the token before.
    pub(super) fn refresh(self: &Arc<Self>, open: &mut Open, to: ReplyTo, token: String, now_ms: u64) {
        if !self.context.node.authenticator.wants_newer_keys(&token) {
            return self.take_over(open, to, &token, now_ms);
        }
        let connection = self.clone();
        tokio::spawn(async move {
            connection.context.node.authenticator.find_newer_keys().await;
            connection.with(|open| connection.take_over(open, to, &token, now_ms));
        });
    }

    fn take_over(&self, open: &mut Open, to: ReplyTo, token: &str, now_ms: u64) {
        let identity = match self.context.node.authenticator.authenticate(Some(token), now_ms) {
            Ok(identity) => identity,
            Err(reason) => {
                let failure = Failure::new(ErrorCode::AuthenticationFailed, reason.to_string());
                return self.refuse(to, failure);
            }
        };
        match open
            .session
            .refresh(Arc::new(identity.user), identity.expires_at_ms, now_ms)
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

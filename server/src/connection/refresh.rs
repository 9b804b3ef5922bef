//! `refresh {token}`: a live connection goes on with a new token of the same user (SPEC §2).

use std::sync::Arc;

use bmt_shared::close::CloseCode;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::reply::Reply;

use super::Connection;
use crate::outbox::ReplyTo;

impl Connection {
    /// Checks the token and takes it over. The requests behind it do not wait: until the check is done they are
    /// decided by the token that still holds.
    pub(super) fn refresh(self: &Arc<Self>, to: ReplyTo, token: String) {
        let connection = self.clone();
        tokio::spawn(async move {
            let context = &connection.context;
            let checked = context
                .authenticate
                .authenticate(Some(&token), context.now_ms())
                .await;
            let identity = match checked {
                Ok(identity) => identity,
                Err(reason) => {
                    let failure = Failure::new(ErrorCode::AuthenticationFailed, reason.to_string());
                    return connection.refuse(to, failure);
                }
            };
            let refreshed = connection.with(|open| {
                open.session
                    .refresh(identity.user.clone(), identity.expires_at_ms)
            });
            match refreshed {
                Some(Ok(lost)) => {
                    connection.reply(to, Reply::Done);
                    connection.drop_subscriptions(lost);
                    connection.deadline_moved.notify_one();
                }
                Some(Err(failure)) => {
                    connection.refuse(to, failure);
                    connection.close(CloseCode::Policy, "another_user", None);
                }
                None => {}
            }
        });
    }
}

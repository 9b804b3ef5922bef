//! What the account store takes away is taken from live connections too, within a second (SPEC §2).
//!
//! Whoever loses everything is disconnected for good; whose role changed keeps the connection and loses the
//! subscriptions that the new role does not open.

use std::sync::Arc;

use bmt_shared::close::CloseCode;
use bmt_shared::error::AuthReason;
use bmt_shared::identity::User;
use tokio::sync::broadcast::error::RecvError;

use super::{Connection, Context};
use crate::accounts::Revocation;

/// Starts to listen, before anybody can connect. It ends with the server.
pub(super) fn watch(context: &Arc<Context>) {
    let mut revocations = context.node.accounts.revocations();
    let shutdown = context.node.shutdown.clone();
    let context = context.clone();
    context.node.shutdown.clone().spawn(async move {
        loop {
            let revoked = tokio::select! {
                revoked = revocations.recv() => revoked,
                () = shutdown.begun() => return,
            };
            let concerned = match revoked {
                Ok(Revocation::User(user) | Revocation::Session { user, .. }) => context.live.of_user(&user),
                // Nobody knows any more who was meant, so everybody is asked.
                Err(RecvError::Lagged(_)) => context.live.all(),
                Err(RecvError::Closed) => return,
            };
            for connection in concerned {
                connection.judge_again();
            }
        }
    });
}

impl Connection {
    /// Decides anew whether this connection may live, and by which role.
    pub(super) fn judge_again(&self) {
        let judged = self.with(|open| {
            let authenticator = &self.context.node.authenticator;
            let role = authenticator.judge(self.user_id(), &open.grant)?;
            let user = open.session.user();
            if role == user.role {
                return Ok(Vec::new());
            }
            let user = User {
                role,
                ..User::clone(user)
            };
            Ok::<_, AuthReason>(open.session.change_rights(Arc::new(user)))
        });
        match judged {
            // It has ended by itself.
            None => {}
            Some(Ok(lost)) => self.drop_subscriptions(lost, "your role was changed"),
            Some(Err(reason)) => {
                tracing::info!(connection = %self.id(), user = %self.user_id(), "revoked");
                self.close(CloseCode::Kicked, reason.as_str(), None);
            }
        }
    }
}

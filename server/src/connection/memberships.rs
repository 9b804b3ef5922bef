//! Member lists that change while connections live: who lost a right loses its subscriptions at once (SPEC §3).

use std::sync::Arc;

use bmt_shared::permission::listed_as;
use tokio::sync::broadcast::error::RecvError;

use super::{Connection, Context};
use crate::members::Change;

/// Starts to follow the member lists, before anybody can connect. It ends with the server.
pub(super) fn watch(context: &Arc<Context>) {
    let mut changes = context.node.members.changes();
    let shutdown = context.node.shutdown.clone();
    let context = context.clone();
    context.node.shutdown.clone().spawn(async move {
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = shutdown.begun() => return,
            };
            let change = match change {
                Ok(change) => Some(change),
                // Which ones were missed is not known: all subscriptions are decided about again.
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => return,
            };
            let connections = match change.as_ref().and_then(|change| change.user.as_ref()) {
                Some(user) => context.live.of_user(user),
                None => context.live.all(),
            };
            for connection in connections {
                connection.reconsider(change.as_ref());
            }
        }
    });
}

impl Connection {
    /// Decides again about the subscriptions that a change concerns, or about all of them.
    fn reconsider(&self, change: Option<&Change>) {
        self.with(|open| {
            let rules = open.session.rules().clone();
            let lost = open.session.reconsider(|topic| {
                change.is_none_or(|change| listed_as(&rules.namespaces, topic) == Some(&*change.key))
            });
            // Within the session's lock, so that no subscription asked for again can be taken for this one.
            self.drop_subscriptions(lost, "the member list has changed");
        });
    }
}

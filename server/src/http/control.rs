//! What the API acts on.

use std::sync::Arc;

use axum::extract::FromRef;
use bmt_server_core::session::Session;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::identity::{Role, User};
use bmt_shared::reply::Reply;
use bmt_shared::request::Publish;
use tokio::sync::oneshot;

use super::access::Operator;
use super::api::errors::Reporters;
use super::traffic::Traffic;
use crate::auth::SERVER_USER;
use crate::connection::Live;
use crate::figures::Figures;
use crate::node::Node;
use crate::records::Records;
use crate::shards::{Answer, Publisher, Shards};
use crate::{clock, random};

/// What a channel will answer.
pub(super) type Awaited = oneshot::Receiver<Reply>;

/// One of it serves all routes.
#[derive(Clone)]
pub struct Control {
    /// What the server's parts share.
    pub node: Arc<Node>,
    /// The channels.
    pub shards: Shards,
    /// The connections.
    pub live: Live,
    /// Keys, audit log, crash reports.
    pub records: Records,
    /// How the server is doing.
    pub figures: Figures,
    server: Arc<User>,
    pub(super) reporters: Arc<Reporters>,
    pub(super) traffic: Arc<Traffic>,
}

impl Control {
    /// Puts the parts together.
    #[must_use]
    pub fn new(node: Arc<Node>, shards: Shards, live: Live, records: Records) -> Self {
        let server = User {
            user_id: UserId::new(SERVER_USER),
            name: "Server".to_owned(),
            role: Role::Admin,
            permissions: Vec::new(),
        };
        Self {
            figures: Figures::new(shards.clone(), live.clone()),
            node,
            shards,
            live,
            records,
            server: Arc::new(server),
            reporters: Arc::default(),
            traffic: Arc::default(),
        }
    }

    /// Takes samples of the figures, and tells them to whoever listens, until the server stops.
    pub fn start(&self) {
        self.figures.start(&self.node.shutdown);
        super::api::stats::tell(self);
    }

    /// Publishes as the server, and waits until the message is stored. Without a caller it is the server's own.
    pub(super) async fn publish(&self, caller: Option<&Operator>, key: MessageId, publish: Publish) -> Reply {
        self.finish(self.begin_publish(caller, key, publish)).await
    }

    /// Hands a message over; what becomes of it is what [`Self::finish`] answers.
    ///
    /// # Errors
    /// Where it is refused at once: the same limits of size and names hold as for connections, and the caller's own
    /// of how many.
    pub(super) fn begin_publish(
        &self,
        caller: Option<&Operator>,
        key: MessageId,
        publish: Publish,
    ) -> Result<Awaited, Failure> {
        let now_ms = clock::unix_ms();
        let (topic, payload) = (&publish.topic, &publish.payload);
        let mut admission = Session::new(
            self.server.clone(),
            self.node.current().server_rules.clone(),
            None,
            now_ms,
        );
        admission.admit_publish(topic, payload, now_ms)?;
        if let Some(caller) = caller {
            self.node.budgets.spend_publish(&caller.name(), now_ms)?;
        }
        let from = Publisher {
            user: self.server.clone(),
            connection: None,
            outbox: None,
        };
        let (answer, reply) = oneshot::channel();
        self.shards.publish(&from, key, publish, Answer::Waiter(answer));
        Ok(reply)
    }

    /// Waits for what becomes of a message.
    pub(super) async fn finish(&self, begun: Result<Awaited, Failure>) -> Reply {
        match begun {
            Ok(reply) => reply
                .await
                .unwrap_or_else(|_| Reply::Failed(self.shards.stopping())),
            Err(failure) => Reply::Failed(failure),
        }
    }

    /// Asks the channels something and waits for the answer.
    pub(super) async fn ask(&self, ask: impl FnOnce(Answer)) -> Reply {
        let (answer, reply) = oneshot::channel();
        ask(Answer::Waiter(answer));
        self.finish(Ok(reply)).await
    }

    /// # Errors
    /// Where the channel's namespace is unknown.
    pub(super) fn admit_read(&self, topic: &ChannelName) -> Result<(), Failure> {
        let now_ms = clock::unix_ms();
        let rules = self.node.current().server_rules.clone();
        let mut session = Session::new(self.server.clone(), rules, None, now_ms);
        session.admit_read(topic, now_ms)
    }

    /// The key of a message that came without one.
    pub(super) fn mint_message_id() -> MessageId {
        MessageId::mint(clock::unix_ms(), u64::from_le_bytes(random::bytes()))
    }
}

impl FromRef<Control> for Arc<Node> {
    fn from_ref(control: &Control) -> Self {
        control.node.clone()
    }
}

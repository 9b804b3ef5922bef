//! Session and channel as pure state machines: what a request is allowed, and what it does.
//!
//! This crate has no I/O, no clock, no randomness and nothing asynchronous. Times come in as ms since the Unix
//! epoch, randomness as numbers, what a history holds as values; what is to be sent comes out as values. The same
//! calls have the same outputs, so a simulation in virtual time and the server run the same code.
//!
//! # The session
//!
//! A [`session::Session`] admits the requests of one connection: who it speaks for, what it may, how much of it.
//! It does not carry them out. See the module.
//!
//! # The channel and its owner
//!
//! A [`channel::Channel`] is numbering, newest messages, subscribers and presence of one channel. One owner (a
//! shard in the server) calls it, in one order, and keeps this contract:
//!
//! 1. **Open.** Ask the history what it knows ([`channel::Opened`]) while nothing is in flight there, and make
//!    the channel from it. Requests that come meanwhile wait in their order.
//! 2. **Publish.** [`channel::Channel::begin_publish`] gives a [`channel::Draft`]. Hand drafts to the history in
//!    this order; it assigns the seqs and keeps the idempotency keys. Give what became of each back through
//!    [`channel::Channel::finish_publish`], in the same order and once for each draft. Do not wait in between:
//!    a channel may have any number of drafts in flight. After a failure, everything the history still has in
//!    hand must fail too, or a later message overtakes one that its publisher will send again.
//! 3. **Drain.** After every call, take [`channel::Channel::poll_output`] until it is empty and send each output
//!    to the subscribers it names, before the next call. Then answer the request: what a publish delivered stands
//!    before its ack, and a reply to `subscribe` before all live messages.
//! 4. **Read.** Where an answer is not in memory, the call gives a read. Carry it out whenever you like, while
//!    the channel goes on, and let the value that asked for it make the answer. Only the answer's place in the
//!    order of its connection must be held from the call on.
//! 5. **Time.** Call [`channel::Channel::handle_timeout`] at [`channel::Channel::poll_timeout`], and drop the
//!    channel some time after [`channel::Channel::idle_since_ms`].
//!
//! A [`channel::Stream`] is a whole history of one channel in memory, and enough to drive a channel:
//!
//! ```
//! use bmt_server_core::channel::{Channel, Output, Retention, Stream, Subscriber, Subscribing};
//! use bmt_shared::channel::ChannelName;
//! use bmt_shared::id::{ConnectionId, MessageId, UserId};
//! use bmt_shared::identity::{Role, User};
//! use bmt_shared::namespace::Namespaces;
//! use bmt_shared::payload::Payload;
//! use bmt_shared::position::Epoch;
//! use bmt_shared::request::{Publish, Subscribe};
//!
//! let topic = ChannelName::parse("public:chat")?;
//! let namespaces = Namespaces::default();
//! let namespace = namespaces.of(&topic).ok_or("a known namespace")?;
//! let retention = Retention::of(&namespace);
//! let (now_ms, window_ms, random) = (1_700_000_000_000, 86_400_000, 42);
//!
//! let mut history = Stream::new(Epoch::new("first"));
//! let mut channel = Channel::new(topic.clone(), &namespace, history.open(retention, now_ms), now_ms);
//!
//! // Whatever leads to a connection: an outbox in the server, a name here.
//! let user = User { user_id: UserId::new("u1"), name: "Ann".into(), role: Role::User, permissions: vec![] };
//! let ann = Subscriber { to: "ann's outbox", user: user.into() };
//! let reply = channel.subscribe(ConnectionId::new("c1"), ann, &Subscribe::to(topic.clone()), now_ms)?;
//! assert!(matches!(reply, Subscribing::Ready(reply) if reply.seq == 0 && reply.subscriber_count == 1));
//!
//! let publish = Publish::new(topic, Payload::parse(r#"{"type":"text","content":"hi"}"#)?);
//! let draft = channel.begin_publish(publish, UserId::new("u2"), MessageId::parse("m1")?, now_ms, random);
//! let appended = history.append(draft, retention, window_ms);
//! let published = channel.finish_publish(Ok(appended), now_ms)?;
//! assert_eq!((published.seq, published.delivered_to), (1, 1));
//!
//! let Some(Output::Message { entry, to, .. }) = channel.poll_output() else { panic!("it is delivered") };
//! assert_eq!((entry.seq(), to), (1, vec!["ann's outbox"]));
//! assert!(channel.poll_output().is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod channel;
pub mod session;

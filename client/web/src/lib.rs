//! The browser driver: the only place with sockets, timers, storage and locks of the host.
//!
//! It runs `bmt-client-core` in a page, in a worker or in Node and adds no protocol: [`Realtime`] hands calls to
//! the core, does what the core asks for, and passes its events on. What a payload is says the [`Face`]:
//! [`Native`] for Rust applications, one of JavaScript values for the npm package.
//!
//! - Nothing happens before [`Realtime::connect`]; after [`Realtime::disconnect`] no listener, timer, socket or
//!   lock of the host is left.
//! - Events come to [`Realtime::on_event`] in order, each once, with nothing borrowed: a listener may publish,
//!   subscribe, disconnect, or drop its own [`Listener`].
//! - [`Realtime::publish`] has written the message to storage when it returns, where there is storage. Where
//!   there is none, or it is full, [`Realtime::on_warning`] says so once and the queue lives in memory.
//! - An answer is a [`Pending`]: a future for those who have an executor, a callback for those who have none.
//!
//! ```no_run
//! use bmt_client_web::{Auth, Event, Native, Options, Realtime, Subscribe};
//! use bmt_shared::channel::ChannelName;
//!
//! # fn token() -> Auth { Auth::guest() }
//! # async fn chat() -> Result<(), Box<dyn std::error::Error>> {
//! let realtime = Realtime::new(Options::new("https://realtime.example.org", token()), Native);
//! let listener = realtime.on_event(|event| {
//!     if let Event::Message(received) = event {
//!         println!("{}", received.message.payload.json());
//!     }
//! });
//! realtime.connect();
//! realtime.subscribe(Subscribe::to(ChannelName::parse("public:chat")?)).await?;
//! # drop(listener);
//! # Ok(())
//! # }
//! ```

mod realtime;

mod listeners;
mod options;
mod pending;
mod token;
mod warning;

mod driver;

mod bus;
mod clock;
mod fetch;
mod global;
mod journal;
mod locks;
mod page;
mod promise;
mod socket;
mod storage;
mod timer;

pub use bmt_client_core::event::{
    Acked, Disconnected, GapNotice, Origin, Received, Reconnecting, StateChange,
};
pub use bmt_client_core::{
    Binding, ClientError, Config, ConnectionState, Entry, Event, Face, FaceError, Native, Overflow,
    PLAIN_MESSAGE, Parsed, QueuePolicy, ReconnectPolicy, RequestKind, Roster, Stats, Status, Transports,
};
pub use bmt_shared::request::{HistoryQuery, HistoryRange, Publish, Subscribe};

pub use listeners::Listener;
pub use options::Options;
pub use pending::Pending;
pub use realtime::{Answer, Realtime};
pub use storage::StorageChoice;
pub use token::{Auth, TokenAnswer};
pub use warning::Warning;

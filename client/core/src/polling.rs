//! HTTP long-polling: packets as bodies of requests, until a WebSocket takes over (Engine.IO 4, "Transports").

use std::collections::VecDeque;

use bmt_shared::codec::engineio::{self, Handshake, payload};

use crate::output::{Fetch, FetchId, Transmit};

/// Longest body for servers that tell none: what Engine.IO 4.0 takes.
const MAX_PAYLOAD_BYTES: usize = 1_000_000;
/// A line on which a post takes longer is a bad one: no WebSocket is tried on it, ms.
const SLOW_MS: u64 = 2_000;
/// From a WebSocket that failed to the next that is tried, ms; doubled by each failure up to the second.
const UPGRADE_BASE_MS: u64 = 30_000;
const UPGRADE_CAP_MS: u64 = 10 * 60 * 1_000;

/// One session that is polled.
#[derive(Debug)]
pub(crate) struct Polling {
    path: String,
    session: Option<Session>,
    /// The handshake came.
    pub(crate) was_open: bool,
    poll: Option<FetchId>,
    post: Option<Post>,
    /// What the next post takes.
    waiting: VecDeque<Transmit>,
    /// How long the last post took, ms.
    last_post_ms: u64,
    pub(crate) upgrade: Upgrade,
}

#[derive(Debug)]
struct Session {
    id: String,
    max_payload_bytes: usize,
    has_socket: bool,
}

#[derive(Debug)]
struct Post {
    id: FetchId,
    began_ms: u64,
}

/// How far the way to a WebSocket is. Every deadline is monotonic ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// None is tried.
    None,
    /// One is tried then.
    Due { at: u64 },
    /// It is being opened, and asked whether it reaches this session.
    Probing { until: u64 },
    /// It does: what was under way over HTTP is waited for.
    Draining { until: u64 },
}

/// What a response was the answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The handshake, or a poll.
    Poll,
    Post,
    /// Something of a session that is over.
    Nothing,
}

impl Polling {
    /// A session to be opened at this path.
    pub(crate) fn new(path: String) -> Self {
        Self {
            path,
            session: None,
            was_open: false,
            poll: None,
            post: None,
            waiting: VecDeque::new(),
            last_post_ms: 0,
            upgrade: Upgrade::None,
        }
    }

    /// The server has opened the session.
    pub(crate) fn opened(&mut self, handshake: &Handshake<'_>) {
        self.was_open = true;
        let told = handshake.max_payload_bytes.map(usize::try_from);
        self.session = Some(Session {
            id: handshake.sid.to_string(),
            max_payload_bytes: told.and_then(Result::ok).unwrap_or(MAX_PAYLOAD_BYTES),
            has_socket: handshake.upgrades.iter().any(|upgrade| upgrade == "websocket"),
        });
    }

    /// The server has let go of the session.
    pub(crate) fn break_off(&mut self) {
        self.session = None;
    }

    /// Keeps a frame for the next post.
    pub(crate) fn send(&mut self, frame: Transmit) {
        self.waiting.push_back(frame);
    }

    /// What waits, for the WebSocket that took over.
    pub(crate) fn into_waiting(self) -> VecDeque<Transmit> {
        self.waiting
    }

    /// The next request to make: one post and one poll at a time.
    pub(crate) fn next_fetch(&mut self, ids: &mut u32, now_ms: u64) -> Option<Fetch> {
        if matches!(self.upgrade, Upgrade::Draining { .. }) {
            return None;
        }
        if self.session.is_some() && self.post.is_none() && !self.waiting.is_empty() {
            let fetch = self.post(ids);
            self.post = Some(Post {
                id: fetch.id,
                began_ms: now_ms,
            });
            return Some(fetch);
        }
        if self.poll.is_none() {
            let fetch = self.fetch(ids, None);
            self.poll = Some(fetch.id);
            return Some(fetch);
        }
        None
    }

    /// The last request of a session that is left on purpose.
    pub(crate) fn last_fetch(&mut self, ids: &mut u32) -> Option<Fetch> {
        self.session.as_ref()?;
        self.send(Transmit::Text(engineio::Packet::Close.encode()));
        Some(Fetch {
            is_last: true,
            ..self.post(ids)
        })
    }

    /// Takes note of an answer.
    pub(crate) fn answered(&mut self, id: FetchId, now_ms: u64) -> Answered {
        if self.poll == Some(id) {
            self.poll = None;
            return Answered::Poll;
        }
        match self.post.take_if(|post| post.id == id) {
            Some(post) => {
                self.last_post_ms = now_ms.saturating_sub(post.began_ms);
                Answered::Post
            }
            None => Answered::Nothing,
        }
    }

    /// Nothing is under way over HTTP.
    pub(crate) fn is_drained(&self) -> bool {
        self.poll.is_none() && self.post.is_none()
    }

    /// Plans the next WebSocket, after so many that failed in a row.
    pub(crate) fn plan_upgrade(&mut self, now_ms: u64, failed: u32) {
        let is_offered = self.session.as_ref().is_some_and(|session| session.has_socket);
        self.upgrade = if is_offered {
            let wait = UPGRADE_BASE_MS << failed.min(8);
            Upgrade::Due {
                at: now_ms + wait.min(UPGRADE_CAP_MS),
            }
        } else {
            Upgrade::None
        };
    }

    /// Whether requests take so long that a WebSocket would only take from what the line can do.
    pub(crate) fn is_slow(&self, now_ms: u64) -> bool {
        let waited = self
            .post
            .as_ref()
            .map_or(0, |post| now_ms.saturating_sub(post.began_ms));
        self.last_post_ms.max(waited) > SLOW_MS
    }

    /// Path and query of the WebSocket that is to take the session over.
    pub(crate) fn socket_path(&self) -> String {
        let id = self.session.as_ref().map_or("", |session| &session.id);
        format!("{}?EIO=4&transport=websocket&sid={id}", self.path)
    }

    fn post(&mut self, ids: &mut u32) -> Fetch {
        let most = self
            .session
            .as_ref()
            .map_or(MAX_PAYLOAD_BYTES, |session| session.max_payload_bytes);
        let mut body = payload::Writer::new(most);
        while let Some(frame) = self.waiting.front() {
            let pushed = match frame {
                Transmit::Text(text) => body.push_text(text),
                Transmit::Binary(bytes) => body.push_binary(bytes),
            };
            match pushed {
                // JSON has no separator in it, and what is not JSON would fall apart on the way.
                Ok(()) | Err(payload::PushError::Separator) => self.waiting.pop_front(),
                Err(payload::PushError::Full) => break,
            };
        }
        self.fetch(ids, Some(body.finish()))
    }

    fn fetch(&self, ids: &mut u32, body: Option<String>) -> Fetch {
        *ids = ids.wrapping_add(1);
        let mut path_and_query = format!("{}?EIO=4&transport=polling&t={ids}", self.path);
        if let Some(session) = &self.session {
            path_and_query.push_str("&sid=");
            path_and_query.push_str(&session.id);
        }
        Fetch {
            id: FetchId(*ids),
            path_and_query,
            body,
            is_last: false,
        }
    }
}

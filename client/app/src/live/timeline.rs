//! Pages of history, and what a person sends.

use bmt_client_core::ClientError;
use bmt_shared::channel::ChannelName;
use bmt_shared::id::MessageId;
use bmt_shared::reply::{HistoryPage, Reply};
use bmt_shared::request::{HistoryQuery, HistoryRange, Publish};
use leptos::prelude::*;

use super::Live;
use crate::browser::keep;
use crate::state::body::Body;
use crate::state::timeline::{PAGE_ROWS, Page};

/// Why a text did not even get a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendTrouble {
    /// It is larger than the server takes.
    TooLong,
    /// As many messages wait as may.
    QueueFull,
    /// There is nobody to send as.
    SignedOut,
}

/// Which page of a channel's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Newest,
    Older,
    Newer,
}

impl Live {
    /// Puts a channel on the screen, or none.
    pub(crate) fn show(&self, topic: Option<&ChannelName>) {
        self.store.chat.update(|chat| chat.show(topic));
        if let Some(topic) = topic {
            let me = self.store.chat.with_untracked(|chat| chat.me().clone());
            keep::set_last_open(&me, topic);
            self.load_if_open(topic);
        }
    }

    /// Loads the newest page of the open channel, unless it is there or on its way.
    pub(super) fn load_if_open(&self, topic: &ChannelName) {
        let wanted = self.store.chat.with_untracked(|chat| {
            let unloaded = chat.timeline(topic).is_none_or(|timeline| !timeline.is_loaded());
            chat.open() == Some(topic) && unloaded
        });
        if wanted {
            self.load(topic, Wanted::Newest);
        }
    }

    /// Goes to the newest message of a channel: loads it where the window does not reach it.
    pub(crate) fn to_latest(self, topic: &ChannelName) {
        self.store
            .chat
            .update(|chat| chat.timeline_mut(topic).reach_bottom());
        let detached = self.store.chat.with_untracked(|chat| {
            chat.timeline(topic)
                .is_some_and(|timeline| timeline.newer != crate::state::timeline::edge::Edge::End)
        });
        if detached {
            self.load(topic, Wanted::Newest);
        }
    }

    /// Loads the page before the window, unless there is none or it is on its way.
    pub(crate) fn load_older(&self, topic: &ChannelName) {
        if self.begin_edge(topic, Wanted::Older) {
            self.load(topic, Wanted::Older);
        }
    }

    /// Loads the page behind the window, unless it reaches the live stream or the page is on its way.
    pub(crate) fn load_newer(&self, topic: &ChannelName) {
        if self.begin_edge(topic, Wanted::Newer) {
            self.load(topic, Wanted::Newer);
        }
    }

    fn begin_edge(&self, topic: &ChannelName, wanted: Wanted) -> bool {
        let mut begun = false;
        self.store.chat.try_maybe_update(|chat| {
            let timeline = chat.timeline_mut(topic);
            let edge = match wanted {
                Wanted::Older => &mut timeline.older,
                Wanted::Newest | Wanted::Newer => &mut timeline.newer,
            };
            begun = edge.begin();
            (begun, ())
        });
        begun
    }

    fn load(&self, topic: &ChannelName, wanted: Wanted) {
        let Some(realtime) = self.realtime() else { return };
        let range = self.store.chat.with_untracked(|chat| {
            let timeline = chat.timeline(topic);
            match wanted {
                Wanted::Newest => Some(HistoryRange::Newest),
                Wanted::Older => timeline?.oldest().map(HistoryRange::Before),
                Wanted::Newer => timeline?.newest().map(HistoryRange::After),
            }
        });
        let query = HistoryQuery {
            topic: topic.clone(),
            range: range.unwrap_or(HistoryRange::Newest),
            limit: PAGE_ROWS,
        };
        let (live, topic) = (*self, topic.clone());
        let pending = realtime.history(query);
        self.later(async move {
            let answer = pending.await;
            live.store.chat.try_update(|chat| match &answer {
                Ok(Reply::History(page)) => {
                    let HistoryPage {
                        messages,
                        epoch,
                        has_more,
                        ..
                    } = page;
                    let page = Page {
                        messages,
                        has_more: *has_more,
                    };
                    match wanted {
                        Wanted::Newest => chat.load_newest(&topic, page, epoch),
                        Wanted::Older => chat.load_older(&topic, page, epoch),
                        Wanted::Newer => chat.load_newer(&topic, page, epoch),
                    }
                }
                // Offline: the newest page is asked for again when the connection is back.
                _ => {
                    let timeline = chat.timeline_mut(&topic);
                    timeline.older.fail();
                    timeline.newer.fail();
                }
            });
            live.forget_what_was_sent(&topic);
        });
    }

    /// A refused message that another tab sent after all is no longer kept.
    fn forget_what_was_sent(&self, topic: &ChannelName) {
        let me = self.store.chat.with_untracked(|chat| chat.me().clone());
        for message in keep::refused(&me)
            .iter()
            .filter(|message| message.topic == *topic)
        {
            let waits = self.store.chat.with_untracked(|chat| {
                let timeline = chat.timeline(topic);
                timeline.is_none_or(|timeline| timeline.pending_row(&message.id).is_some())
            });
            if !waits {
                keep::remove_refused(&me, &message.id);
            }
        }
    }

    /// The reader sees the newest message of the open channel.
    pub(crate) fn read_open(&self) {
        let mut read = false;
        self.store.chat.try_maybe_update(|chat| {
            read = chat.read_open();
            (read, ())
        });
        if read {
            self.remember();
        }
    }

    /// Sends a text. Its row is there when this returns.
    pub(crate) fn send(&self, topic: &ChannelName, text: &str) -> Result<(), SendTrouble> {
        self.publish(topic, text, None).map(|id| {
            let now = self.time();
            self.store.chat.update(|chat| chat.write(topic, &id, text, now));
        })
    }

    /// Sends a refused message again, under the same id.
    pub(crate) fn resend(&self, topic: &ChannelName, id: &MessageId) {
        let text = self.store.chat.with_untracked(|chat| {
            let row = chat.timeline(topic)?.pending_row(id)?;
            Some(row.body.as_str().to_owned())
        });
        let Some(text) = text else { return };
        if self.publish(topic, &text, Some(id.clone())).is_ok() {
            self.store.chat.update(|chat| chat.timeline_mut(topic).retry(id));
            self.forget_refused(id);
        }
    }

    /// Drops a refused message; answers its text.
    pub(crate) fn discard(&self, topic: &ChannelName, id: &MessageId) -> Option<String> {
        let mut text = None;
        self.store
            .chat
            .update(|chat| text = chat.timeline_mut(topic).discard(id));
        self.forget_refused(id);
        text.map(|text| text.to_string())
    }

    fn forget_refused(&self, id: &MessageId) {
        let me = self.store.chat.with_untracked(|chat| chat.me().clone());
        keep::remove_refused(&me, id);
    }

    fn publish(
        &self,
        topic: &ChannelName,
        text: &str,
        id: Option<MessageId>,
    ) -> Result<MessageId, SendTrouble> {
        let realtime = self.realtime().ok_or(SendTrouble::SignedOut)?;
        let user = self
            .store
            .session
            .with_untracked(|session| session.user().cloned())
            .ok_or(SendTrouble::SignedOut)?;
        let payload = Body::text_payload(text, &user.user_id, &user.name);
        realtime
            .publish(Publish::new(topic.clone(), payload), id)
            .map_err(|error| match error {
                ClientError::TooLarge { .. } => SendTrouble::TooLong,
                _ => SendTrouble::QueueFull,
            })
    }
}

//! What a leader knows of the other tabs: who they are, what they hold, whose answer is whose.

use std::borrow::Cow;

use bmt_shared::codec::json;
use bytes::Bytes;

/// Most tabs behind one connection; another one connects by itself.
const TABS_MAX: usize = 100;
/// Most channels that the tabs hold together, each tab's counted: some more than the server gives one connection.
const HOLDS_MAX: usize = 20_000;
/// Most requests of other tabs that wait for the server: as many as it takes from one connection.
const FORWARDED_MAX: usize = 4_096;
/// After so long nobody waits for the answer any more, ms. Servers of the seeds never answer what they do not know.
const FORWARDED_MS: u64 = 60_000;
/// Most bytes of signals that wait for the server's word before the other tabs hear them: as many as it takes from one
/// connection before it has looked at them.
const SIGNAL_BYTES_MAX: usize = 1 << 20;
/// A tab that is silent for so long is gone, ms. A hidden one may wake once a minute only.
const SILENCE_MS: u64 = 150_000;

/// See the [module](self). It lives as long as one connection.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    tabs: Vec<HubTab>,
    /// The channels of every tab, the leader's own included.
    holds: Vec<Hold>,
    forwarded: Vec<Forwarded>,
}

#[derive(Debug)]
struct HubTab {
    id: u64,
    seen_at: u64,
}

/// A tab's interest in a channel.
#[derive(Debug)]
struct Hold {
    tab: u64,
    topic: String,
    /// The JSON text of its filter; empty for none.
    params: String,
    /// Fields that may be true for all where one tab wants them.
    flags: [bool; FLAGS.len()],
}

/// What a subscription gets more of, and nobody less: the connection asks for what any of its tabs asks for.
const FLAGS: [&str; 2] = ["presence", "readers"];

/// A request of another tab, or a signal of any.
#[derive(Debug)]
pub(crate) struct Forwarded {
    pub(crate) key: u64,
    pub(crate) tab: u64,
    /// Its own key; none where the tab waits for no answer.
    pub(crate) id: Option<u64>,
    pub(crate) bytes: usize,
    pub(crate) at_ms: u64,
    /// What the other tabs hear once the server has taken it.
    pub(crate) signal: Option<KeptSignal>,
}

/// A signal as it was said.
#[derive(Debug)]
pub(crate) struct KeptSignal {
    pub(crate) body: String,
    pub(crate) attachments: Vec<Bytes>,
}

/// Why a subscription cannot be shared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unshared {
    /// Another tab filters the channel in another way.
    Filter,
    /// Too many.
    Full,
}

impl Hub {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tabs.is_empty()
    }

    /// All tabs but this one.
    pub(crate) fn others(&self, than: u64) -> Vec<u64> {
        let tabs = self.tabs.iter().map(|tab| tab.id);
        tabs.filter(|tab| *tab != than).collect()
    }

    /// A tab begins, or begins anew. False where there is no room.
    pub(crate) fn welcome(&mut self, tab: u64, now_ms: u64) -> bool {
        if self.saw(tab, now_ms) {
            return true;
        }
        let has_room = self.tabs.len() < TABS_MAX;
        if has_room {
            self.tabs.push(HubTab {
                id: tab,
                seen_at: now_ms,
            });
        }
        has_room
    }

    /// A tab shows that it lives. False for one that is not known.
    pub(crate) fn saw(&mut self, tab: u64, now_ms: u64) -> bool {
        let known = self.tabs.iter_mut().find(|known| known.id == tab);
        known.is_some_and(|known| {
            known.seen_at = now_ms;
            true
        })
    }

    /// When the next tab has been silent for too long.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.tabs.iter().map(|tab| tab.seen_at + SILENCE_MS).min()
    }

    /// A tab that has been silent for too long.
    pub(crate) fn silent(&self, now_ms: u64) -> Option<u64> {
        let silent = self.tabs.iter().find(|tab| tab.seen_at + SILENCE_MS <= now_ms);
        silent.map(|tab| tab.id)
    }

    /// A tab is gone; what nobody else holds.
    pub(crate) fn remove(&mut self, tab: u64) -> Vec<String> {
        self.tabs.retain(|known| known.id != tab);
        // What it said last is said to the others all the same.
        self.forwarded
            .retain(|one| one.tab != tab || one.signal.is_some());
        let mut gone = Vec::new();
        for at in (0..self.holds.len()).rev() {
            if self.holds[at].tab == tab {
                gone.push(self.holds.swap_remove(at).topic);
            }
        }
        gone.retain(|topic| !self.holds.iter().any(|hold| hold.topic == *topic));
        gone
    }

    /// A tab asks for channels, by the body of its request. What is to be asked instead, so that no other tab loses
    /// what it asked for.
    pub(crate) fn subscribe<'b>(&mut self, tab: u64, body: &'b str) -> Result<Cow<'b, str>, Unshared> {
        let mut asked = Vec::new();
        match field(body, "topics").map(json::elements) {
            Some(Ok(entries)) => asked.extend(entries.filter_map(Result::ok)),
            _ => asked.push(body.trim_ascii()),
        }
        let read = |entry: &'b str| Some((entry, Hold::read(tab, entry)?));
        let asked: Vec<(&str, Hold)> = asked.into_iter().filter_map(read).collect();
        if self.holds.len() + asked.len() > HOLDS_MAX {
            return Err(Unshared::Full);
        }
        for (_, hold) in &asked {
            let mut others = self.holds.iter().filter(|other| other.is_anothers(hold));
            if others.any(|other| other.params != hold.params) {
                return Err(Unshared::Filter);
            }
        }
        let mut wider = String::new();
        let mut copied = 0;
        for (entry, hold) in asked {
            self.holds
                .retain(|known| known.tab != tab || known.topic != hold.topic);
            let end = entry.as_ptr() as usize - body.as_ptr() as usize + entry.len() - 1;
            for (n, flag) in FLAGS.iter().enumerate() {
                let others = self.holds.iter();
                let is_wanted = others
                    .filter(|other| other.is_anothers(&hold))
                    .any(|other| other.flags[n]);
                if is_wanted && !hold.flags[n] {
                    wider.push_str(&body[copied..end]);
                    copied = end;
                    wider.push_str(",\"");
                    wider.push_str(flag);
                    wider.push_str("\":true");
                }
            }
            self.holds.push(hold);
        }
        if copied == 0 {
            return Ok(Cow::Borrowed(body));
        }
        wider.push_str(&body[copied..]);
        Ok(Cow::Owned(wider))
    }

    /// A tab lets go of a channel. Whether another still holds it.
    pub(crate) fn unsubscribe(&mut self, tab: u64, topic: &str) -> bool {
        self.holds.retain(|hold| hold.tab != tab || hold.topic != topic);
        self.holds.iter().any(|hold| hold.topic == topic)
    }

    /// The server took a channel away from all.
    pub(crate) fn forget(&mut self, topic: &str) {
        self.holds.retain(|hold| hold.topic != topic);
    }

    /// A request is forwarded, and its answer waited for. False where too many wait.
    pub(crate) fn forward(&mut self, request: Forwarded) -> bool {
        if self.forwarded.len() >= FORWARDED_MAX {
            let now_ms = request.at_ms;
            self.forwarded.retain(|one| now_ms < one.at_ms + FORWARDED_MS);
        }
        let mut has_room = self.forwarded.len() < FORWARDED_MAX;
        if request.signal.is_some() {
            let signals = self.forwarded.iter().filter(|one| one.signal.is_some());
            let waiting: usize = signals.map(|one| one.bytes).sum();
            has_room &= waiting + request.bytes <= SIGNAL_BYTES_MAX;
        }
        if has_room {
            self.forwarded.push(request);
        }
        has_room
    }

    /// Whose answer this is.
    pub(crate) fn answered(&mut self, key: u64) -> Option<Forwarded> {
        let at = self.forwarded.iter().position(|one| one.key == key)?;
        Some(self.forwarded.swap_remove(at))
    }

    /// Who sent the largest request that waits, where it is larger than this.
    pub(crate) fn sender_of_more_than(&self, bytes: usize) -> Option<u64> {
        let largest = self.forwarded.iter().max_by_key(|one| one.bytes)?;
        (largest.bytes > bytes).then_some(largest.tab)
    }
}

impl Hold {
    fn read(tab: u64, entry: &str) -> Option<Self> {
        let is_true = |name| field(entry, name) == Some("true");
        Some(Self {
            tab,
            topic: topic_of(entry)?.into_owned(),
            params: field(entry, "params").unwrap_or_default().to_owned(),
            flags: FLAGS.map(is_true),
        })
    }

    /// Whether it is another tab's hold of the same channel.
    fn is_anothers(&self, than: &Self) -> bool {
        self.topic == than.topic && self.tab != than.tab
    }
}

/// A field of an object, as it stands there.
pub(crate) fn field<'b>(body: &'b str, name: &str) -> Option<&'b str> {
    let fields = json::entries(body).ok()?;
    let mut fields = fields.filter_map(Result::ok);
    let found = fields.find(|(key, _)| key.len() == name.len() + 2 && key.get(1..=name.len()) == Some(name));
    found.map(|(_, value)| value)
}

/// The channel that a body is about.
pub(crate) fn topic_of(body: &str) -> Option<Cow<'_, str>> {
    json::unquote(field(body, "topic")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_held_until_the_last_tab_lets_go() {
        let mut hub = Hub::default();
        for tab in [1, 2, 3] {
            assert!(hub.welcome(tab, 0));
            assert_eq!(
                hub.subscribe(tab, r#"{"topic":"a"}"#).as_deref(),
                Ok(r#"{"topic":"a"}"#)
            );
        }
        hub.subscribe(2, r#"{"topics":[{"topic":"a"},{"topic":"b"}]}"#)
            .unwrap();
        assert!(hub.unsubscribe(1, "a") && hub.unsubscribe(2, "a"));
        assert_eq!(hub.remove(2), ["b"]);
        assert!(!hub.unsubscribe(3, "a"));
        assert_eq!(hub.remove(3), [""; 0]);
    }

    #[test]
    fn the_connection_asks_for_what_any_tab_asks_for() {
        let mut hub = Hub::default();
        hub.subscribe(1, r#"{"topic":"a","presence":true}"#).unwrap();
        hub.subscribe(1, r#"{"topic":"c","readers":true}"#).unwrap();
        let batch = r#"{"topics":[{"topic":"a"},{"topic":"b"},{"topic":"c","presence":true}],"t":1}"#;
        let wider = r#"{"topics":[{"topic":"a","presence":true},{"topic":"b"},{"topic":"c","presence":true,"readers":true}],"t":1}"#;
        assert_eq!(hub.subscribe(2, batch).as_deref(), Ok(wider));
        assert_eq!(
            hub.subscribe(1, r#"{"topic":"b"}"#).as_deref(),
            Ok(r#"{"topic":"b"}"#)
        );
    }

    #[test]
    fn a_filter_that_differs_is_refused_while_another_tab_has_its_own() {
        let mut hub = Hub::default();
        let filtered = r#"{"topic":"a","params":{"x":1}}"#;
        hub.subscribe(1, filtered).unwrap();
        assert_eq!(hub.subscribe(2, r#"{"topic":"a"}"#), Err(Unshared::Filter));
        assert_eq!(
            hub.subscribe(2, r#"{"topics":[{"topic":"a"}]}"#),
            Err(Unshared::Filter)
        );
        assert!(hub.subscribe(2, filtered).is_ok());
        hub.remove(2);
        assert!(
            hub.subscribe(1, r#"{"topic":"a"}"#).is_ok(),
            "a tab may change its own"
        );
    }

    #[test]
    fn requests_tabs_and_channels_are_bounded() {
        let mut hub = Hub::default();
        assert!((0..TABS_MAX as u64).all(|tab| hub.welcome(tab, 0)));
        assert!(!hub.welcome(TABS_MAX as u64, 0) && hub.welcome(0, 5));
        assert!((0..FORWARDED_MAX as u64).all(|key| hub.forward(request(key, 1, 0))));
        assert!(!hub.forward(request(0, 1, FORWARDED_MS - 1)));
        assert_eq!(hub.silent(SILENCE_MS), Some(1));
        hub.remove(1);
        assert!(
            hub.forward(request(0, 2, 0)),
            "a tab that is gone waits for nothing"
        );
    }

    fn request(key: u64, tab: u64, at_ms: u64) -> Forwarded {
        Forwarded {
            key,
            tab,
            id: None,
            bytes: 1,
            at_ms,
            signal: None,
        }
    }

    #[test]
    fn what_is_never_answered_gives_way_when_nobody_waits_for_it_any_more() {
        let mut hub = Hub::default();
        assert!((0..FORWARDED_MAX as u64).all(|key| hub.forward(request(key, 1, 5))));
        assert!(!hub.forward(request(9_999, 1, 5 + FORWARDED_MS - 1)));
        assert!(hub.forward(request(9_999, 1, 5 + FORWARDED_MS)));
        assert!(hub.answered(0).is_none() && hub.answered(9_999).is_some());
    }

    #[test]
    fn signals_that_wait_are_bounded_in_bytes_and_outlive_their_tab() {
        let mut hub = Hub::default();
        let signal = |key, bytes| Forwarded {
            bytes,
            signal: Some(KeptSignal {
                body: String::new(),
                attachments: Vec::new(),
            }),
            ..request(key, 1, 0)
        };
        assert!(hub.forward(signal(1, SIGNAL_BYTES_MAX)) && !hub.forward(signal(2, 1)));
        assert!(hub.forward(request(3, 1, 0)), "others are not held up");
        hub.remove(1);
        assert!(hub.answered(1).is_some() && hub.answered(3).is_none());
        assert!(hub.forward(signal(2, 1)));
    }
}

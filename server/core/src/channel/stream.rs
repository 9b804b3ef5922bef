//! A channel's history in memory: the whole contract of a history, for one channel, without a disk.
//!
//! The server's memory store is a map of these; a simulation drives one beside each [`Channel`](super::Channel).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bmt_shared::error::Failure;
use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::position::{Epoch, Seq};

use super::amendment::{Amends, emptied};
use super::entry::{Draft, Entry};
use super::erasure::Traced;
use super::fingerprint::Fingerprint;
use super::read::{Opened, Page, Range, Read};
use super::readers::{ReadMark, Readers};
use super::retention::Retention;
use super::tail::{TAIL_BYTES, TAIL_MESSAGES};

/// Most keys one stream remembers; beyond that the oldest are forgotten before their window ends. The window is
/// promised for stored namespaces only (SPEC §5.3).
pub const STREAM_KEYS: usize = 10_000;
/// Most bytes one stream keeps, whatever its namespace says: memory is not a disk. Beyond that the oldest leave.
pub const STREAM_BYTES: usize = 16 * 1_024 * 1_024;

/// What became of a draft in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is kept under the next seq.
    Stored {
        /// The message with its seq.
        entry: Arc<Entry>,
        /// The numbering that the seq belongs to.
        epoch: Epoch,
        /// The new forms of the messages that it amended.
        amended: Vec<Arc<Entry>>,
    },
    /// Its publisher's key is known, with the same body: the first message's id and seq.
    Duplicate {
        /// The server's id.
        id: ServerMessageId,
        /// The number.
        seq: Seq,
    },
    /// Its publisher's key is known with another body.
    Conflict,
    /// It would amend a message that it cannot: it is not kept, and its key is not known.
    Refused(Failure),
}

#[derive(Clone, Debug)]
struct Known {
    id: ServerMessageId,
    seq: Seq,
    fingerprint: Fingerprint,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Stream {
    epoch: Epoch,
    top: Seq,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    keys: HashMap<(UserId, MessageId), Known>,
    /// Keys by age, with the time at which they are forgotten.
    forgets: VecDeque<(u64, (UserId, MessageId))>,
    readers: Readers,
    created_ms: Option<u64>,
}

impl Stream {
    /// An empty stream that begins a numbering.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            top: 0,
            entries: VecDeque::new(),
            bytes: 0,
            keys: HashMap::new(),
            forgets: VecDeque::new(),
            readers: Readers::default(),
            created_ms: None,
        }
    }

    /// Keeps a draft under the next seq, unless its key was seen within `window_ms`.
    pub fn append(&mut self, draft: Draft, retention: Retention, window_ms: u64) -> Appended {
        let now_ms = draft.timestamp;
        self.forget(now_ms);
        let key = (draft.from.clone(), draft.key.clone());
        if let Some(known) = self.keys.get(&key) {
            return if known.fingerprint == draft.fingerprint {
                Appended::Duplicate {
                    id: known.id.clone(),
                    seq: known.seq,
                }
            } else {
                Appended::Conflict
            };
        }
        let amended = match self.amend(&draft, retention) {
            Ok(amended) => amended,
            Err(failure) => return Appended::Refused(failure),
        };
        self.top += 1;
        self.created_ms.get_or_insert(now_ms);
        let known = Known {
            id: draft.id.clone(),
            seq: self.top,
            fingerprint: draft.fingerprint,
        };
        self.forgets
            .push_back((now_ms.saturating_add(window_ms), key.clone()));
        self.keys.insert(key, known);
        let entry = Arc::new(draft.numbered(self.top));
        self.bytes += entry.size_bytes();
        self.entries.push_back(entry.clone());
        self.trim(retention, now_ms);
        Appended::Stored {
            entry,
            epoch: self.epoch.clone(),
            amended,
        }
    }

    /// Changes the messages that a draft amends; answers their new forms.
    fn amend(&mut self, draft: &Draft, retention: Retention) -> Result<Vec<Arc<Entry>>, Failure> {
        let Some(amendment) = &draft.amendment else {
            return Ok(Vec::new());
        };
        self.trim(retention, draft.timestamp);
        let target = &amendment.amends.target;
        // From the newest on: most amendments follow soon.
        let found = self
            .entries
            .iter()
            .rev()
            .find(|entry| entry.message.id == *target);
        let changed = amendment.apply(draft, found.ok_or_else(|| amendment.gone())?)?;
        let edit = Some(Amends::edit_of(target));
        let edits: Vec<&Arc<Entry>> = self.entries.iter().filter(|entry| entry.amends == edit).collect();
        amendment.admit(edits.len())?;
        let mut amended = vec![Arc::new(changed)];
        if amendment.empties_edits() {
            let emptied = edits
                .into_iter()
                .map(|edit| emptied(edit, draft.timestamp).into());
            amended.extend(emptied);
        }
        for entry in &amended {
            self.replace(entry.clone());
        }
        Ok(amended)
    }

    /// Puts the new form of a message that is kept in the place of the old one.
    fn replace(&mut self, entry: Arc<Entry>) {
        let at = self.entries.partition_point(|held| held.seq() < entry.seq());
        let held = &mut self.entries[at];
        self.bytes = self.bytes + entry.size_bytes() - held.size_bytes();
        *held = entry;
    }

    /// Messages with something of this user in them.
    pub fn traces_of<'a>(&'a self, traced: &'a Traced) -> impl Iterator<Item = &'a Arc<Entry>> {
        self.entries.iter().filter(|entry| traced.is_in(entry))
    }

    /// Takes what there is of this user out of the messages of these numbers; answers how many that changed.
    pub fn erase(&mut self, traced: &Traced, seqs: &[Seq], now_ms: u64) -> u64 {
        let left: Vec<Entry> = self
            .entries
            .iter()
            .filter(|entry| seqs.contains(&entry.seq()))
            .filter_map(|entry| traced.left_of(entry, now_ms))
            .collect();
        let changed = left.len() as u64;
        for entry in left {
            self.replace(entry.into());
        }
        changed
    }

    /// Keeps how far a user has read.
    pub fn mark(&mut self, mark: ReadMark) {
        self.readers.note(mark.user, mark.seq);
    }

    /// What a channel needs to become active.
    pub fn open(&mut self, retention: Retention, now_ms: u64) -> Opened {
        self.trim(retention, now_ms);
        let mut bytes = 0;
        let newest = self.entries.iter().rev().take(TAIL_MESSAGES).take_while(|entry| {
            bytes += entry.size_bytes();
            bytes <= TAIL_BYTES
        });
        let mut newest: Vec<_> = newest.cloned().collect();
        newest.reverse();
        Opened {
            epoch: self.epoch.clone(),
            top: self.top,
            oldest: self.oldest(),
            newest,
            readers: self.readers.iter().collect(),
            created_ms: self.created_ms,
        }
    }

    /// Reads a run of messages.
    pub fn read(&mut self, read: &Read) -> Page {
        self.trim(read.retention, read.now_ms);
        let living = self.entries.iter().filter(|entry| !entry.is_expired(read.now_ms));
        let (entries, more) = match read.range {
            Range::Up { after, through } => bounded(
                living.filter(|entry| entry.seq() > after && entry.seq() <= through),
                read,
            ),
            Range::Down { below } => {
                let (mut entries, more) = bounded(living.rev().filter(|entry| entry.seq() < below), read);
                entries.reverse();
                (entries, more)
            }
        };
        Page {
            epoch: self.epoch.clone(),
            oldest: self.oldest(),
            entries,
            more,
        }
    }

    /// Whether nothing would be lost with it but its numbering.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.keys.is_empty() && self.readers.is_empty()
    }

    /// Newest seq; 0 before the first message.
    #[must_use]
    pub fn top(&self) -> Seq {
        self.top
    }

    /// When its first message came, ms since the Unix epoch.
    #[must_use]
    pub fn created_ms(&self) -> Option<u64> {
        self.created_ms
    }

    /// Oldest seq that is kept, as far as is known: by age it may be higher.
    #[must_use]
    pub fn oldest(&self) -> Seq {
        self.entries.front().map_or(self.top + 1, |entry| entry.seq())
    }

    fn trim(&mut self, retention: Retention, now_ms: u64) {
        let oldest = retention.oldest_by_size(self.top);
        let too_old = retention.expired_until_ms(now_ms);
        while let Some(entry) = self.entries.front() {
            let kept = entry.seq() >= oldest && entry.message.timestamp > too_old;
            if kept && self.bytes <= STREAM_BYTES {
                return;
            }
            self.bytes -= entry.size_bytes();
            self.entries.pop_front();
        }
    }

    fn forget(&mut self, now_ms: u64) {
        while let Some((at, key)) = self.forgets.front() {
            if *at > now_ms && self.forgets.len() < STREAM_KEYS {
                return;
            }
            self.keys.remove(key);
            self.forgets.pop_front();
        }
    }
}

fn bounded<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>, read: &Read) -> (Vec<Arc<Entry>>, bool) {
    let mut bytes = 0;
    let mut taken: Vec<Arc<Entry>> = Vec::new();
    for entry in entries {
        bytes += entry.size_bytes();
        if taken.len() == read.messages || (bytes > read.bytes && !taken.is_empty()) {
            return (taken, true);
        }
        taken.push(entry.clone());
    }
    (taken, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bmt_shared::channel::ChannelName;
    use bmt_shared::payload::Payload;
    use bmt_shared::request::Publish;

    const KEEP_ALL: Retention = Retention {
        messages: None,
        ttl_ms: 0,
    };

    fn draft(key: usize, bytes: usize) -> Draft {
        let payload = Payload::parse(&format!("\"{}\"", "x".repeat(bytes))).unwrap();
        let publish = Publish::new(ChannelName::parse("a").unwrap(), payload);
        let key = MessageId::parse(&format!("k{key}")).unwrap();
        Draft::new(publish, UserId::new("u"), key, 1_000, 0)
    }

    #[test]
    fn more_keys_than_it_holds_push_the_oldest_out() {
        let mut stream = Stream::new(Epoch::new("e"));
        for key in 0..STREAM_KEYS + 10 {
            stream.append(draft(key, 1), KEEP_ALL, 60_000);
            assert!(stream.keys.len() <= STREAM_KEYS);
        }
        assert!(matches!(
            stream.append(draft(0, 1), KEEP_ALL, 60_000),
            Appended::Stored { .. }
        ));
        let newest = draft(STREAM_KEYS + 9, 1);
        assert!(matches!(
            stream.append(newest, KEEP_ALL, 60_000),
            Appended::Duplicate { .. }
        ));
    }

    #[test]
    fn memory_is_no_disk_even_where_all_is_kept() {
        let mut stream = Stream::new(Epoch::new("e"));
        for key in 0..600 {
            stream.append(draft(key, 60_000), KEEP_ALL, 60_000);
        }
        let opened = stream.open(KEEP_ALL, 1_000);
        assert!(stream.bytes <= STREAM_BYTES && opened.oldest > 1);
        assert_eq!(opened.top, 600);
    }
}

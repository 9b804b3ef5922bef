//! The queue in storage, so that it outlives the page (SPEC §9).
//!
//! The key `offline_messages` holds a JSON array of `{topic, payload, options, timestamp, clock,
//! messageId, user, server}`. A publish does not rewrite that array: it writes one entry under `offline_messages:<messageId>`,
//! which costs the same however long the queue is and cannot collide with another tab. When nothing happens
//! for a while, entries are folded into the array by whoever holds the lock.
//!
//! An acked entry may stand under its own key for a moment more: it is swept when the next frame is on its way, so
//! that storage is at work while the server is. A page that ends in between leaves it to the next one, which
//! publishes it under the same id again, as one that ended before the ack came. What was refused, or given up, is
//! removed at once.
//!
//! What cannot be read is moved to `offline_messages:corrupt:<ms>` and reported; it gives way where entries need its
//! room. Entries of other users and servers are left as they are.

mod kept;

use bmt_client_core::{Clock, Entry};
use bmt_shared::id::MessageId;
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use crate::clock::{random, unix_ms};
use crate::storage::{StorageChoice, Store, integer, parse_json, text, to_json};

/// The array's key, and the beginning of all the others.
pub(crate) const KEY: &str = "offline_messages";
const ENTRY: &str = "offline_messages:";
const CORRUPT: &str = "offline_messages:corrupt:";
/// Quarantined texts that are kept; the oldest goes first. Each may be as large as storage allows.
const MOST_CORRUPT: usize = 5;
/// Acked entries that may wait for the next sweep: as many as two batches. Then they are swept at once.
const MOST_UNSWEPT: usize = 100;

/// Why the queue is not kept as it should be. The application is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no storage here: the queue lives in memory.
    Unavailable,
    /// Storage is full: what was published since lives in memory.
    Full,
    /// Something unreadable was found and put aside.
    Corrupt,
}

impl Trouble {
    /// For programs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "storage_unavailable",
            Self::Full => "storage_full",
            Self::Corrupt => "storage_corrupt",
        }
    }

    /// For people.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Unavailable => {
                "This page cannot use storage: messages that are not sent yet are lost when it is closed"
            }
            Self::Full => {
                "Storage is full: messages that are not sent yet are lost when the page is closed; delete site data to make room"
            }
            Self::Corrupt => {
                "Part of the kept messages could not be read; it was put aside under `offline_messages:corrupt:`"
            }
        }
    }
}

/// The queue's place in storage.
pub(crate) struct Journal {
    store: Option<Store>,
    /// What this client wrote under keys of their own and has not folded. As long as the queue at most, so a list
    /// does.
    apart: Vec<String>,
    /// What stands in the array, as far as this client has seen.
    folded: Vec<String>,
    /// What was settled and stands in the array until that is written again.
    settled: Vec<String>,
    /// What was acked and stands under a key of its own until the next [`sweep`](Self::sweep).
    unswept: Vec<String>,
    /// Orders entries of the same ms among each other.
    written: u64,
}

impl Journal {
    /// Opens the chosen storage.
    pub(crate) fn open(choice: &StorageChoice) -> Self {
        Self {
            store: Store::open(choice),
            apart: Vec::new(),
            folded: Vec::new(),
            settled: Vec::new(),
            unswept: Vec::new(),
            written: 0,
        }
    }

    /// The storage, where there is one.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// Keeps one entry. It is written when this returns `Ok`.
    pub(crate) fn put(&mut self, entry: &Entry) -> Result<(), Trouble> {
        let store = self.store.as_ref().ok_or(Trouble::Unavailable)?;
        self.written += 1;
        let id = entry.message_id.as_str();
        let json = kept::write(entry, self.written);
        // Published once more, under the id of one that is settled.
        self.unswept.retain(|other| other != id);
        let mut written = store.set(&entry_key(id), &json);
        if written.is_err() {
            sweep(store, &mut self.unswept);
            written = store.set(&entry_key(id), &json);
        }
        while written.is_err() && forget_aside(store) {
            written = store.set(&entry_key(id), &json);
        }
        written.map_err(|_| Trouble::Full)?;
        if !self.apart.iter().any(|other| other == id) {
            self.apart.push(id.to_owned());
        }
        Ok(())
    }

    /// Forgets an entry, wherever it stands: its own key at once, the array when it is next folded.
    pub(crate) fn remove(&mut self, message_id: &str) {
        if let Some(store) = &self.store {
            store.remove(&entry_key(message_id));
            self.forget(message_id);
        }
    }

    /// The same of one that is published: its own key goes when it is next swept.
    pub(crate) fn settle(&mut self, message_id: &str) {
        let Some(store) = &self.store else { return };
        self.unswept.push(message_id.to_owned());
        if self.unswept.len() > MOST_UNSWEPT {
            sweep(store, &mut self.unswept);
        }
        self.forget(message_id);
    }

    fn forget(&mut self, message_id: &str) {
        self.apart.retain(|id| id != message_id);
        if let Some(at) = self.folded.iter().position(|id| id == message_id) {
            self.settled.push(self.folded.swap_remove(at));
        }
    }

    /// Removes what is acked from its own keys.
    pub(crate) fn sweep(&mut self) {
        if let Some(store) = &self.store {
            sweep(store, &mut self.unswept);
        }
    }

    /// Whether [`sweep`](Self::sweep) has something to do.
    pub(crate) fn is_unswept(&self) -> bool {
        !self.unswept.is_empty()
    }

    /// Reads everything, in the order it was published, and puts aside what cannot be read. The lock must be
    /// held: see [`fold`](Self::fold).
    pub(crate) fn load(&mut self) -> (Vec<Entry>, Option<Trouble>) {
        let Some(store) = &self.store else {
            return (Vec::new(), Some(Trouble::Unavailable));
        };
        sweep(store, &mut self.unswept);
        let mut unreadable = Vec::new();
        let mut found = read_array(store, &mut unreadable);
        if name_the_nameless(&found) {
            // Before any of them is sent: sent again after a crash, it must have the same name.
            write_array(store, found.iter());
        }
        self.folded = ids_of(&found);
        for key in entry_keys(store) {
            let Some(json) = store.get(&key) else { continue };
            match apart_at(&key, &json) {
                Some(value) => {
                    // The newer form of the two, which knows whose it is.
                    let id = text(&value, "messageId");
                    if id.as_ref().is_some_and(|id| self.folded.contains(id)) {
                        found.retain(|other| text(other, "messageId") != id);
                    }
                    found.push(value);
                }
                None => unreadable.push(json),
            }
        }
        let mut entries = Ordered::default();
        for value in found {
            match kept::read(&value) {
                Some(entry) if self.settled.iter().any(|id| id == entry.message_id.as_str()) => {}
                Some(entry) => entries.insert((entry.order(), order_of(&value)), entry),
                None => unreadable.push(to_json(&value).unwrap_or_default()),
            }
        }
        let trouble = (!unreadable.is_empty()).then_some(Trouble::Corrupt);
        if trouble.is_some() {
            drop_unreadable(store);
            put_aside(store, &unreadable);
        }
        (entries.into_values().collect(), trouble)
    }

    /// Whether [`fold`](Self::fold) has something to do.
    pub(crate) fn is_unfolded(&self) -> bool {
        !self.apart.is_empty() || !self.settled.is_empty()
    }

    /// Moves this client's entries into the array and takes the settled ones out. The lock must be held: the
    /// array is read and written in two steps.
    pub(crate) fn fold(&mut self) {
        let Some(store) = &self.store else { return };
        let mut unreadable = Vec::new();
        let mut entries = read_array(store, &mut unreadable);
        // What was written again since then stands apart in its newer form.
        let is_old = |id: &String| self.settled.contains(id) || self.apart.contains(id);
        entries.retain(|value| !text(value, "messageId").is_some_and(|id| is_old(&id)));
        let mut own = Ordered::default();
        for id in &self.apart {
            if let Some(value) = store.get(&entry_key(id)).and_then(|json| parse_json(&json)) {
                let timestamp = integer(&value, "timestamp").unwrap_or(0);
                let place = ((kept::clock(&value), timestamp), order_of(&value));
                let _ = Reflect::delete_property(value.unchecked_ref::<Object>(), &"order".into());
                own.insert(place, value);
            }
        }
        entries.extend(own.into_values());
        // Where storage is too full for both copies at once, the entries stay under their own keys.
        if !write_array(store, entries.iter()) {
            return;
        }
        put_aside(store, &unreadable);
        for id in self.apart.drain(..) {
            store.remove(&entry_key(&id));
        }
        self.settled.clear();
        self.folded = ids_of(&entries);
    }
}

fn sweep(store: &Store, unswept: &mut Vec<String>) {
    for id in unswept.drain(..) {
        store.remove(&entry_key(&id));
    }
}

fn ids_of(entries: &[JsValue]) -> Vec<String> {
    entries
        .iter()
        .filter_map(|value| text(value, "messageId"))
        .collect()
}

/// Values in the order of a key; those of the same key as they came.
///
/// Grown by insertion: a queue has a thousand entries at most, and the sorts of the standard library are a tenth
/// of the npm package.
struct Ordered<T>(Vec<(Place, T)>);

/// [`Entry::order`], then [`order_of`].
type Place = ((Clock, u64), u64);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    fn insert(&mut self, key: Place, value: T) {
        let after = self.0.iter().rposition(|(other, _)| *other <= key);
        self.0.insert(after.map_or(0, |at| at + 1), (key, value));
    }

    fn into_values(self) -> impl Iterator<Item = T> {
        self.0.into_iter().map(|(_, value)| value)
    }
}

/// Tells entries of one ms apart.
fn order_of(value: &JsValue) -> u64 {
    integer(value, "order").unwrap_or(0)
}

fn entry_key(message_id: &str) -> String {
    format!("{ENTRY}{message_id}")
}

fn entry_keys(store: &Store) -> Vec<String> {
    let keys = store.keys(ENTRY);
    keys.into_iter().filter(|key| !key.starts_with(CORRUPT)).collect()
}

/// What stands under a key of its own, where that is the key of its `messageId`: settled, it goes by that.
fn apart_at(key: &str, json: &str) -> Option<JsValue> {
    parse_json(json).filter(|value| text(value, "messageId").is_some_and(|id| entry_key(&id) == key))
}

/// The elements of the array; what is no array is unreadable, and is overwritten by the next that is written.
fn read_array(store: &Store, unreadable: &mut Vec<String>) -> Vec<JsValue> {
    let Some(json) = store.get(KEY) else {
        return Vec::new();
    };
    match parse_json(&json).and_then(|value| value.dyn_into::<Array>().ok()) {
        Some(array) => array.iter().collect(),
        None => {
            unreadable.push(json);
            Vec::new()
        }
    }
}

/// Takes what cannot be read out of where it stands.
fn drop_unreadable(store: &Store) {
    let mut entries = read_array(store, &mut Vec::new());
    entries.retain(|value| kept::read(value).is_some());
    write_array(store, entries.iter());
    for key in entry_keys(store) {
        let value = store.get(&key).and_then(|json| apart_at(&key, &json));
        if value.and_then(|value| kept::read(&value)).is_none() {
            store.remove(&key);
        }
    }
}

/// Whether it is written; an empty array is no array.
fn write_array<'a>(store: &Store, entries: impl Iterator<Item = &'a JsValue>) -> bool {
    let array: Array = entries.collect();
    if array.length() == 0 {
        store.remove(KEY);
        return true;
    }
    to_json(&array).is_some_and(|json| store.set(KEY, &json).is_ok())
}

/// Gives a `messageId` to entries in the first protocol version's format, which has none.
fn name_the_nameless(entries: &[JsValue]) -> bool {
    let nameless = |value: &&JsValue| value.is_object() && text(value, "messageId").is_none();
    let mut any = false;
    for value in entries.iter().filter(nameless) {
        let id = MessageId::mint(unix_ms(), random());
        any |= Reflect::set(value, &"messageId".into(), &id.as_str().into()) == Ok(true);
    }
    any
}

/// Keeps what could not be read, out of the way. It stands nowhere else any more: there may be no room for it twice.
fn put_aside(store: &Store, unreadable: &[String]) {
    for json in unreadable {
        if store.keys(CORRUPT).len() >= MOST_CORRUPT {
            forget_aside(store);
        }
        let mut at = unix_ms();
        while store.get(&format!("{CORRUPT}{at}")).is_some() {
            at += 1;
        }
        let _ = store.set(&format!("{CORRUPT}{at}"), json);
    }
}

/// Forgets the oldest of what was put aside; whether it is gone.
fn forget_aside(store: &Store) -> bool {
    let oldest = store.keys(CORRUPT).into_iter().min();
    oldest.is_some_and(|key| {
        store.remove(&key);
        store.get(&key).is_none()
    })
}

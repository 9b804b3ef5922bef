//! All records, sorted by what the checks ask: publishes, sightings, lists of subscribers, the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::record::{Event, Place, Placed};

/// A message's number in its numbering.
pub(crate) type Position<'a> = (&'a str, u64);

/// Everything about one channel.
#[derive(Default)]
pub(crate) struct Channel<'a> {
    /// In the order of the records; the index is by id.
    pub(crate) publishes: Vec<Publish<'a>>,
    by_id: HashMap<&'a str, usize>,
    /// Where an id was seen with a number: acks of known epoch, deliveries, the store.
    pub(crate) seen: Vec<Seen<'a>>,
    pub(crate) store: Option<Store<'a>>,
    /// Each client's records of this channel, in its order.
    pub(crate) lists: BTreeMap<&'a str, Vec<&'a Placed>>,
    /// When the fault destroyed the store, last.
    pub(crate) destroyed_us: Option<u64>,
}

/// One publish, from its beginning to its end.
pub(crate) struct Publish<'a> {
    pub(crate) id: &'a str,
    pub(crate) client: &'a str,
    pub(crate) conn: u64,
    pub(crate) begun_us: u64,
    pub(crate) place: &'a Place,
    pub(crate) end: End<'a>,
}

/// How a publish ended.
pub(crate) enum End<'a> {
    Unknown,
    Acked {
        at_us: u64,
        seq: u64,
        epoch: Option<&'a str>,
        place: &'a Place,
    },
    Refused {
        place: &'a Place,
    },
}

/// An id at a position, and who says so.
pub(crate) struct Seen<'a> {
    pub(crate) at: Position<'a>,
    pub(crate) id: &'a str,
    pub(crate) place: &'a Place,
}

/// What the store holds at the end.
pub(crate) struct Store<'a> {
    pub(crate) epoch: &'a str,
    pub(crate) oldest: u64,
    pub(crate) top: u64,
    pub(crate) ids: BTreeMap<u64, &'a str>,
    pub(crate) place: &'a Place,
}

impl<'a> Channel<'a> {
    /// The numbering of an ack that did not name it: where its id was seen, or the only one there is.
    fn epoch_of(&self, id: &str, epochs: &BTreeSet<&'a str>, at: &HashMap<&str, &'a str>) -> Option<&'a str> {
        let only = epochs.iter().next().copied().filter(|_| epochs.len() == 1);
        at.get(id).copied().or(only)
    }

    /// Gives the acks their epochs, and lists them among what was seen.
    fn settle(&mut self) {
        let mut epochs: BTreeSet<&str> = self.seen.iter().map(|seen| seen.at.0).collect();
        epochs.extend(self.store.iter().map(|store| store.epoch));
        let at: HashMap<&str, &str> = self.seen.iter().map(|seen| (seen.id, seen.at.0)).collect();
        let told: Vec<Option<&str>> = self
            .publishes
            .iter()
            .map(|publish| self.epoch_of(publish.id, &epochs, &at))
            .collect();
        for (publish, told) in self.publishes.iter_mut().zip(told) {
            let id = publish.id;
            if let End::Acked {
                seq, epoch, place, ..
            } = &mut publish.end
            {
                *epoch = epoch.or(told);
                if let Some(epoch) = *epoch {
                    self.seen.push(Seen {
                        at: (epoch, *seq),
                        id,
                        place,
                    });
                }
            }
        }
    }

    fn end(&mut self, id: &str, end: End<'a>) {
        if let Some(&index) = self.by_id.get(id) {
            self.publishes[index].end = end;
        }
    }

    /// The position of every id that has one; of two, the one seen first (then (C) reports).
    pub(crate) fn positions(&self) -> HashMap<&'a str, Position<'a>> {
        let mut positions = HashMap::new();
        for seen in &self.seen {
            positions.entry(seen.id).or_insert(seen.at);
        }
        positions
    }
}

/// Sorts the records by channel.
pub(crate) fn channels(records: &[Placed]) -> BTreeMap<&str, Channel<'_>> {
    let mut channels: BTreeMap<&str, Channel> = BTreeMap::new();
    for placed in records {
        let channel = channels.entry(channel_of(&placed.record.event)).or_default();
        take(channel, placed);
    }
    for channel in channels.values_mut() {
        channel.settle();
    }
    channels
}

fn take<'a>(channel: &mut Channel<'a>, placed: &'a Placed) {
    let (record, place) = (&placed.record, &placed.place);
    match &record.event {
        Event::Invoke { id, conn, .. } => {
            channel.by_id.insert(id, channel.publishes.len());
            channel.publishes.push(Publish {
                id,
                client: &record.client,
                conn: *conn,
                begun_us: record.at_us,
                place,
                end: End::Unknown,
            });
        }
        Event::Ok { id, seq, epoch, .. } => {
            let end = End::Acked {
                at_us: record.at_us,
                seq: *seq,
                epoch: epoch.as_deref(),
                place,
            };
            channel.end(id, end);
        }
        Event::Fail { id, .. } => channel.end(id, End::Refused { place }),
        Event::Info { .. } => {}
        Event::Store {
            epoch, oldest, top, ..
        } => {
            channel.store = Some(Store {
                epoch,
                oldest: *oldest,
                top: *top,
                ids: channel.store.take().map(|store| store.ids).unwrap_or_default(),
                place,
            });
        }
        Event::Stored { epoch, seq, id, .. } => {
            channel.seen.push(Seen {
                at: (epoch, *seq),
                id,
                place,
            });
            if let Some(store) = &mut channel.store {
                store.ids.insert(*seq, id);
            }
        }
        Event::Destroyed { .. } => {
            channel.destroyed_us = Some(record.at_us.max(channel.destroyed_us.unwrap_or(0)));
        }
        Event::Deliver { epoch, seq, id, .. } => {
            channel.seen.push(Seen {
                at: (epoch, *seq),
                id,
                place,
            });
            channel.lists.entry(&record.client).or_default().push(placed);
        }
        Event::Subscribed { .. }
        | Event::Gap { .. }
        | Event::Covered { .. }
        | Event::Forbidden { .. }
        | Event::Permitted { .. } => channel.lists.entry(&record.client).or_default().push(placed),
    }
}

fn channel_of(event: &Event) -> &str {
    match event {
        Event::Invoke { channel, .. }
        | Event::Ok { channel, .. }
        | Event::Fail { channel, .. }
        | Event::Info { channel, .. }
        | Event::Deliver { channel, .. }
        | Event::Subscribed { channel, .. }
        | Event::Gap { channel, .. }
        | Event::Covered { channel, .. }
        | Event::Store { channel, .. }
        | Event::Stored { channel, .. }
        | Event::Forbidden { channel }
        | Event::Permitted { channel }
        | Event::Destroyed { channel } => channel,
    }
}

//! What clients write down, and how it is read back with the place where it stands.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// A monotonic clock that all clients of a run share, microseconds.
    pub at_us: u64,
    /// The wall clock, ms since the Unix epoch: for people who compare with the server's log.
    pub wall_ms: u64,
    /// Who saw it. A client that starts anew with nothing remembered is another client.
    pub client: String,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A publish is about to be sent.
    Invoke {
        /// The publisher's key.
        id: String,
        /// The channel.
        channel: String,
        /// The payload, for people.
        body: String,
        /// Publishes of one client with the same number are to be kept in their order.
        #[serde(default)]
        conn: u64,
    },
    /// A publish was acked.
    Ok {
        /// The publisher's key.
        id: String,
        /// The channel.
        channel: String,
        /// The message's number.
        seq: u64,
        /// The numbering, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<String>,
    },
    /// A publish was refused: it certainly did not happen.
    Fail {
        /// The publisher's key.
        id: String,
        /// The channel.
        channel: String,
        /// Why.
        reason: String,
    },
    /// Nobody knows whether a publish happened.
    Info {
        /// The publisher's key.
        id: String,
        /// The channel.
        channel: String,
        /// Why.
        reason: String,
    },
    /// A message was handed to the application.
    Deliver {
        /// The channel.
        channel: String,
        /// The numbering of the subscription.
        epoch: String,
        /// The message's number.
        seq: u64,
        /// The publisher's key.
        id: String,
        /// The last seq before this one that the subscription was entitled to, where that is not `seq − 1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prev: Option<u64>,
    },
    /// A subscription was answered. Without `recovered` a new list begins behind `to`.
    Subscribed {
        /// The channel.
        channel: String,
        /// The numbering.
        epoch: String,
        /// Whether all that was missed since `from` comes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The position that was asked from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u64>,
        /// The top that the answer covers.
        to: u64,
    },
    /// The server told that the stream broke: a new list begins.
    Gap {
        /// The channel.
        channel: String,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The client was live to the end: its window reaches to here, whether or not it was delivered anything.
    Covered {
        /// The channel.
        channel: String,
        /// The numbering.
        epoch: String,
        /// The channel's top.
        to: u64,
    },
    /// What the store says of a channel at the end; its messages are `stored` records.
    Store {
        /// The channel.
        channel: String,
        /// The numbering.
        epoch: String,
        /// The oldest seq that is kept.
        oldest: u64,
        /// The newest seq.
        top: u64,
    },
    /// A message as the store has it.
    Stored {
        /// The channel.
        channel: String,
        /// The numbering.
        epoch: String,
        /// The message's number.
        seq: u64,
        /// The publisher's key.
        id: String,
    },
    /// From here on this client may not read the channel, and the server has confirmed it.
    Forbidden {
        /// The channel.
        channel: String,
    },
    /// From here on it may again.
    Permitted {
        /// The channel.
        channel: String,
    },
    /// The fault itself destroyed what the store held: acks up to this time are excused from being there, if the
    /// epoch changed.
    Destroyed {
        /// The channel.
        channel: String,
    },
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file's name.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A record and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The record.
    pub record: Record,
    /// Where it stands.
    pub place: Place,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableLine {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for UnreadableLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

impl std::error::Error for UnreadableLine {}

/// Reads the JSON lines of one file; empty lines are passed over.
///
/// # Errors
/// At the first line that is no record, except a last line without its end: its writer was killed.
pub fn read(file: &str, text: &str) -> Result<Vec<Placed>, UnreadableLine> {
    let file: Arc<str> = file.into();
    let mut records = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let place = Place {
            file: Arc::clone(&file),
            line: index + 1,
        };
        match serde_json::from_str(line) {
            Ok(record) => records.push(Placed { record, place }),
            Err(_) if !line.ends_with('\n') => {}
            Err(error) => {
                let reason = format!("not a record: {error}");
                return Err(UnreadableLine { place, reason });
            }
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let record = Record {
            at_us: 1,
            wall_ms: 2,
            client: "s1".into(),
            event: Event::Subscribed {
                channel: "public:a".into(),
                epoch: "e".into(),
                recovered: Some(false),
                reason: Some("trimmed".into()),
                from: Some(3),
                to: 9,
            },
        };
        let line = serde_json::to_string(&record).unwrap();
        let read = read("f", &format!("\n{line}\n")).unwrap();
        assert_eq!(read[0].record, record);
        assert_eq!(read[0].place.to_string(), "f:2");
    }

    #[test]
    fn a_line_in_the_middle_must_be_whole_and_the_last_need_not_be() {
        let good = r#"{"at_us":1,"wall_ms":0,"client":"c","event":{"kind":"gap","channel":"a"}}"#;
        assert_eq!(read("f", &format!("{good}\n{{\"at_us\":1,")).unwrap().len(), 1);
        let broken = read("f", &format!("{{\"at_us\":1,\n{good}\n")).unwrap_err();
        assert_eq!(broken.place.line, 1);
        assert!(broken.to_string().starts_with("f:1: not a record"));
    }
}

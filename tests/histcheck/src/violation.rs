//! What is reported: which promise, what was seen, and the lines that show it.

use std::fmt;

use crate::record::Place;

/// A promise; the letters are those of FAULTS and of the [crate's](crate) list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Acked means stored and delivered.
    A,
    /// Refused means nowhere.
    B,
    /// One seq per id.
    C,
    /// Seqs are contiguous per epoch.
    D,
    /// Lists ascend without a hole, or it is told.
    E,
    /// One id per epoch and seq.
    F,
    /// First in, first out per connection.
    G,
    /// Later than an ack means a greater seq.
    H,
    /// A recovery has no hole.
    I,
    /// Nobody reads what they may not.
    J,
}

impl Invariant {
    /// What is promised, in a few words.
    #[must_use]
    pub fn promise(self) -> &'static str {
        match self {
            Self::A => "an acked publish is stored and delivered",
            Self::B => "a refused publish is nowhere",
            Self::C => "an id has one seq",
            Self::D => "seqs are contiguous per epoch",
            Self::E => "a subscriber's list ascends without a hole, or is told of it",
            Self::F => "one epoch and seq is one id for everybody",
            Self::G => "a connection's publishes keep their order",
            Self::H => "a publish begun after an ack has the greater seq",
            Self::I => "a recovery has no hole",
            Self::J => "nobody is delivered what they may not read",
        }
    }
}

/// One breach of one promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// The channel.
    pub channel: String,
    /// What was seen, with names, ids and seqs.
    pub sentence: String,
    /// The ids it is about.
    pub ids: Vec<String>,
    /// The seqs it is about.
    pub seqs: Vec<u64>,
    /// The lines that show it.
    pub places: Vec<Place>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "({:?}) {}: {}: {}",
            self.invariant,
            self.invariant.promise(),
            self.channel,
            self.sentence
        )?;
        for (index, place) in self.places.iter().enumerate() {
            write!(f, "{}{place}", if index == 0 { " [" } else { ", " })?;
        }
        if self.places.is_empty() {
            Ok(())
        } else {
            write!(f, "]")
        }
    }
}

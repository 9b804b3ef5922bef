//! What a run did, to see that it was worth its time.

/// Counts of one run, or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) published: usize,
    pub(crate) acked: usize,
    pub(crate) handed_on: u64,
    pub(crate) told_gaps: u64,
    pub(crate) reconnects: u64,
    pub(crate) recoveries: u64,
    pub(crate) duplicates: u64,
    pub(crate) happenings: u64,
    /// Times that a tab came to lead those that share a connection, and that one took it from another.
    pub(crate) reigns: u64,
    pub(crate) robberies: u64,
    /// Polls that brought something, and sessions that a WebSocket took over.
    pub(crate) polled: u64,
    pub(crate) upgrades: u64,
    /// Times that a token was refused for good.
    pub(crate) logouts: u64,
    pub(crate) rights_lost: u64,
    pub(crate) restarts: u64,
    /// Writes that storage refused.
    pub(crate) unkept: u64,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.acked += other.acked;
        self.handed_on += other.handed_on;
        self.told_gaps += other.told_gaps;
        self.reconnects += other.reconnects;
        self.recoveries += other.recoveries;
        self.duplicates += other.duplicates;
        self.happenings += other.happenings;
        self.reigns += other.reigns;
        self.robberies += other.robberies;
        self.polled += other.polled;
        self.upgrades += other.upgrades;
        self.logouts += other.logouts;
        self.rights_lost += other.rights_lost;
        self.restarts += other.restarts;
        self.unkept += other.unkept;
    }
}

//! When a silent peer counts as gone. Engine.IO's ping uses the same two times (SPEC §10).

use serde::{Deserialize, Serialize};

/// The table `heartbeat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatConfig {
    /// Time between two pings, ms.
    pub interval_ms: u64,
    /// How long the answer may take, ms.
    pub timeout_ms: u64,
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        Self {
            interval_ms: 10_000,
            timeout_ms: 5_000,
        }
    }
}

impl HeartbeatConfig {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let day_ms = 24 * 60 * 60 * 1_000;
        for (name, value) in [("interval_ms", self.interval_ms), ("timeout_ms", self.timeout_ms)] {
            if !(100..=day_ms).contains(&value) {
                problems.push(format!(
                    "`heartbeat.{name}` must be between 100 and {day_ms} ms: a heartbeat cannot be turned off, \
                     or dead connections would stay for ever."
                ));
            }
        }
    }
}

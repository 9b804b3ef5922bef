//! One channel that is kept in another way than the rest of its namespace.

use serde::{Deserialize, Serialize};

use super::{Durability, Namespace, ttl};

/// What differs; what is absent is as in the namespace. Every field is a key of the configuration table
/// `namespaces.<name>.channels."<channel>"`. Who may do what never differs: a rule for one channel cannot open it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelRule {
    /// Most messages kept; 0 keeps all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_size: Option<u64>,
    /// How long a message is kept, ms; 0 keeps it without end. In the configuration `history_ttl = "7d"`.
    #[serde(
        default,
        rename = "history_ttl",
        with = "ttl::optional_ms",
        skip_serializing_if = "Option::is_none"
    )]
    pub history_ttl_ms: Option<u64>,
    /// Where messages are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    /// Most subscribers; 0 is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_subscribers: Option<u32>,
}

impl ChannelRule {
    /// The namespace's rules as they hold for this channel.
    #[must_use]
    pub fn applied_to(&self, namespace: &Namespace) -> Namespace {
        Namespace {
            history_size: self.history_size.unwrap_or(namespace.history_size),
            history_ttl_ms: self.history_ttl_ms.unwrap_or(namespace.history_ttl_ms),
            durability: self.durability.unwrap_or(namespace.durability),
            max_subscribers: self.max_subscribers.unwrap_or(namespace.max_subscribers),
            ..namespace.clone()
        }
    }
}

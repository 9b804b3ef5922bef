//! Namespaces: the rules that all channels of one first segment share (SPEC §3).

mod channel_rule;
mod ttl;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::channel::ChannelName;

pub use channel_rule::ChannelRule;

/// Who may do a thing in a namespace, before single capabilities are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Administrators only.
    Admins,
    /// Administrators and users; guests on the channels of [`Namespace::guest_channels`].
    Users,
    /// Administrators and who holds `private_channel_access`, a capability or a membership.
    Members,
    /// Administrators and the user whose id is the second segment.
    Owner,
    /// Administrators; any user while the document has no member list, then readers and above.
    DocumentReaders,
    /// Administrators; any user while the document has no member list, then writers and above.
    DocumentWriters,
}

/// Where a namespace keeps its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// On disk before the ack.
    Stored,
    /// In memory: a restart begins a new epoch.
    Memory,
    /// Numbered and fanned out, never kept.
    None,
}

/// Rules of one namespace. Every field is a key of the configuration table `namespaces.<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// Who may subscribe, read history and presence.
    pub subscribe: Access,
    /// Who may publish and signal.
    pub publish: Access,
    /// Channels of this namespace that a guest may subscribe to (and publish to where `publish = "users"`).
    #[serde(default)]
    pub guest_channels: Vec<ChannelName>,
    /// Whether presence is kept.
    #[serde(default = "yes")]
    pub presence: bool,
    /// Whether joins and leaves are announced to subscribers.
    #[serde(default = "yes")]
    pub join_leave: bool,
    /// Most messages kept per channel; 0 keeps all.
    pub history_size: u64,
    /// How long a message is kept: `"7d"`, `"12h"`, `"30m"`, `"90s"`, `"250ms"`; `"0"` keeps it without end. In ms.
    #[serde(rename = "history_ttl", with = "ttl::ms")]
    pub history_ttl_ms: u64,
    /// Where messages are kept.
    pub durability: Durability,
    /// Most subscribers of one channel; 0 is no limit.
    pub max_subscribers: u32,
    /// Whether messages can be edited, deleted and reacted to.
    #[serde(default)]
    pub chat: bool,
    /// Channels that are kept in another way than the rest of the namespace, by their whole name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<ChannelName, ChannelRule>,
}

fn yes() -> bool {
    true
}

/// Messages kept per channel where nothing else is configured (SPEC §3).
pub const DEFAULT_HISTORY_SIZE: u64 = 1_000;
/// How long messages are kept where nothing else is configured: seven days, in ms (SPEC §3).
pub const DEFAULT_HISTORY_TTL_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Messages kept per channel of a chat namespace (SPEC §3).
pub const CHAT_HISTORY_SIZE: u64 = 100_000;
/// Subscribers per channel (SPEC §3).
pub const DEFAULT_MAX_SUBSCRIBERS: u32 = 10_000;
/// The channel that carries the server's own figures, and how many of them it keeps (SPEC §3).
const METRICS: (&str, u64) = ("system:metrics", 300);

impl Namespace {
    /// A stored namespace with the default limits and the given rules.
    #[must_use]
    pub fn stored(subscribe: Access, publish: Access) -> Self {
        Self {
            subscribe,
            publish,
            guest_channels: Vec::new(),
            presence: true,
            join_leave: true,
            history_size: DEFAULT_HISTORY_SIZE,
            history_ttl_ms: DEFAULT_HISTORY_TTL_MS,
            durability: Durability::Stored,
            max_subscribers: DEFAULT_MAX_SUBSCRIBERS,
            chat: false,
            channels: BTreeMap::new(),
        }
    }

    fn chat(subscribe: Access, publish: Access) -> Self {
        Self {
            history_size: CHAT_HISTORY_SIZE,
            history_ttl_ms: 0,
            chat: true,
            ..Self::stored(subscribe, publish)
        }
    }

    fn with_rule(mut self, channel: &str, rule: ChannelRule) -> Self {
        let channel = ChannelName::parse(channel).expect("the defaults are well formed");
        self.channels.insert(channel, rule);
        self
    }

    fn with_guests(mut self, channel: &str) -> Self {
        self.guest_channels
            .push(ChannelName::parse(channel).expect("the defaults are well formed"));
        self
    }
}

/// The namespaces by name. [`Namespaces::default`] is the table of SPEC §3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespaces(BTreeMap<String, Namespace>);

impl Namespaces {
    /// The rules for a channel: its namespace's, with what [`Namespace::channels`] says of it. `None` where its
    /// namespace is unknown (`channel_not_found`).
    #[must_use]
    pub fn of(&self, channel: &ChannelName) -> Option<Cow<'_, Namespace>> {
        let namespace = self.0.get(channel.namespace())?;
        Some(match namespace.channels.get(channel) {
            Some(rule) => Cow::Owned(rule.applied_to(namespace)),
            None => Cow::Borrowed(namespace),
        })
    }

    /// One namespace by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Namespace> {
        self.0.get(name)
    }

    /// Adds or replaces a namespace.
    pub fn insert(&mut self, name: &str, namespace: Namespace) {
        self.0.insert(name.to_owned(), namespace);
    }

    /// All namespaces in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Namespace)> {
        self.0.iter().map(|(name, namespace)| (name.as_str(), namespace))
    }

    /// All namespaces for changing, in the order of their names.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Namespace)> {
        self.0
            .iter_mut()
            .map(|(name, namespace)| (name.as_str(), namespace))
    }
}

impl Default for Namespaces {
    fn default() -> Self {
        let document = Namespace::stored(Access::DocumentReaders, Access::DocumentWriters);
        let (metrics, kept) = METRICS;
        let system = Namespace::stored(Access::Users, Access::Admins)
            .with_guests("system:notifications")
            .with_rule(
                metrics,
                ChannelRule {
                    durability: Some(Durability::Memory),
                    history_size: Some(kept),
                    ..ChannelRule::default()
                },
            );
        Self(BTreeMap::from([
            ("bare".to_owned(), Namespace::chat(Access::Users, Access::Users)),
            ("document".to_owned(), document),
            (
                "private".to_owned(),
                Namespace::chat(Access::Members, Access::Members),
            ),
            (
                "public".to_owned(),
                Namespace::chat(Access::Users, Access::Users).with_guests("public:general"),
            ),
            ("system".to_owned(), system),
            ("user".to_owned(), Namespace::chat(Access::Owner, Access::Owner)),
        ]))
    }
}

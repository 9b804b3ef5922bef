//! Which settings a running server takes over when it reads its configuration again, and which it keeps until it is
//! started anew (SPEC §10, SIGHUP).
//!
//! The table below is all there is: it decides, and `docs/CONFIG.md` is written from it. A configuration after a
//! reload is whole again: what changed and may change is new, what may not is as it was, and both are named.

use std::collections::BTreeSet;

use bmt_shared::channel::ChannelName;
use bmt_shared::namespace::{ChannelRule, Durability, Namespace, Namespaces};

use super::{Config, Mode};

/// What a reload does with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The new value holds.
    Taken,
    /// The old value holds until the next start.
    Kept,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The table of the file.
    pub table: &'static str,
    /// The key in it.
    pub key: &'static str,
    /// What a reload does with it.
    pub reload: Reload,
}

/// What a reload changes. The settings are named, never their values: some are secrets.
#[derive(Debug)]
pub struct Reloaded {
    /// What holds from now on.
    pub config: Config,
    /// Settings that differ and were taken over.
    pub taken: Vec<String>,
    /// Settings that differ, and will not before the next start.
    pub kept: Vec<String>,
}

macro_rules! settings {
    ($($table:ident { taken: [$($taken:ident),* $(,)?], kept: [$($kept:ident),* $(,)?] $(,)? })*) => {
        /// Every setting but those of [`NAMESPACE_SETTINGS`].
        pub const SETTINGS: &[Setting] = &[
            $(
                $(Setting { table: stringify!($table), key: stringify!($taken), reload: Reload::Taken },)*
                $(Setting { table: stringify!($table), key: stringify!($kept), reload: Reload::Kept },)*
            )*
        ];

        fn follow(running: &Config, next: &mut Config, taken: &mut Vec<String>, kept: &mut Vec<String>) {
            $(
                $(if next.$table.$taken != running.$table.$taken {
                    taken.push(concat!(stringify!($table), ".", stringify!($taken)).to_owned());
                })*
                $(if next.$table.$kept != running.$table.$kept {
                    next.$table.$kept.clone_from(&running.$table.$kept);
                    kept.push(concat!(stringify!($table), ".", stringify!($kept)).to_owned());
                })*
            )*
        }
    };
}

settings! {
    auth {
        taken: [issuer, audience, jwks_file, jwks_url, algorithms, guests, registration],
        // What was signed and sealed under the old ones is still out there.
        kept: [jwt_secret, leeway_s, access_ttl_s, session_ttl_s],
    }
    limits {
        taken: [
            connections, connections_per_user, connections_per_address,
            read_per_second, rate_factor_per_user, rate_factor_per_address, rate_factor_per_key,
            api_per_second, http_per_second,
            publish_per_second, publish_burst, subscribe_per_second, signal_per_second, login_per_minute,
            subscriptions, inbound_requests, inbound_bytes, outbox_bytes, outbox_messages, empty_channel_ms,
        ],
        // The transports' own buffers and time limits are made at the start, and clients were told of some.
        kept: [accepts_per_second, authenticate_ms, message_bytes, attachments, metadata_bytes, stale_ms, idempotency_window_ms],
    }
    heartbeat { taken: [], kept: [interval_ms, timeout_ms] }
    store { taken: [], kept: [data_dir, redis_url] }
    http {
        // The two files; whether there are any is decided at the start.
        taken: [allowed_origins, trusted_proxies, tls_cert, tls_key],
        kept: [bind, port, base_path, open_metrics, header_timeout_ms],
    }
    files {
        taken: [guests],
        // Quotas and links belong to the folder that was opened with them.
        kept: [
            max_bytes, user_bytes, user_files, total_bytes, free_bytes, uploads, uploads_per_user, image_pixels,
            thumbnail_side, link_ttl_s,
        ],
    }
    log { taken: [], kept: [filter, format] }
    // What exports is made with them at the start.
    telemetry { taken: [], kept: [otlp_endpoint, otlp_headers, otlp_timeout_ms, service_name, sample_ratio] }
    audit { taken: [], kept: [keep_days, rows] }
}

/// The keys of a namespace. Namespaces can be added; one that is gone from the configuration stays until the next
/// start, because its channels may be in use.
pub const NAMESPACE_SETTINGS: &[(&str, Reload)] = &[
    ("subscribe", Reload::Taken),
    ("publish", Reload::Taken),
    ("guest_channels", Reload::Taken),
    ("presence", Reload::Taken),
    ("join_leave", Reload::Taken),
    ("history_size", Reload::Taken),
    ("history_ttl", Reload::Taken),
    // A channel cannot change its store while it is written to.
    ("durability", Reload::Kept),
    ("max_subscribers", Reload::Taken),
    ("chat", Reload::Taken),
    ("channels", Reload::Taken),
];

impl Config {
    /// What holds when a running server that is configured like this reads `next`.
    #[must_use]
    pub fn followed_by(&self, mut next: Self) -> Reloaded {
        let (mut taken, mut kept) = (Vec::new(), Vec::new());
        if self.mode == Mode::Dev && next.auth.jwt_secret.is_empty() {
            // The one that dev mode made for itself.
            next.auth.jwt_secret = self.auth.jwt_secret.clone();
        }
        next.mode = self.mode;
        if next.http.has_tls() != self.http.has_tls() {
            next.http.tls_cert.clone_from(&self.http.tls_cert);
            next.http.tls_key.clone_from(&self.http.tls_key);
            kept.extend(["http.tls_cert", "http.tls_key"].map(str::to_owned));
        }
        follow(self, &mut next, &mut taken, &mut kept);
        follow_namespaces(&self.namespaces, &mut next.namespaces, &mut kept);
        for (name, namespace) in next.namespaces.iter() {
            if self.namespaces.get(name) != Some(namespace) {
                taken.push(format!("namespaces.{name}"));
            }
        }
        Reloaded {
            config: next,
            taken,
            kept,
        }
    }
}

fn follow_namespaces(running: &Namespaces, next: &mut Namespaces, kept: &mut Vec<String>) {
    for (name, before) in running.iter() {
        let Some(after) = next.iter_mut().find(|(other, _)| *other == name) else {
            next.insert(name, before.clone());
            kept.push(format!("namespaces.{name}"));
            continue;
        };
        keep_stores(name, before, after.1, kept);
    }
}

/// Leaves every channel in the store in which it is.
fn keep_stores(name: &str, before: &Namespace, after: &mut Namespace, kept: &mut Vec<String>) {
    if after.durability != before.durability {
        after.durability = before.durability;
        kept.push(format!("namespaces.{name}.durability"));
    }
    let channels: BTreeSet<ChannelName> = before
        .channels
        .keys()
        .chain(after.channels.keys())
        .cloned()
        .collect();
    for channel in channels {
        let store = store_of(before, &channel);
        if store_of(after, &channel) != store {
            after.channels.entry(channel.clone()).or_default().durability = Some(store);
            kept.push(format!("namespaces.{name}.channels.\"{channel}\".durability"));
        }
    }
}

fn store_of(namespace: &Namespace, channel: &ChannelName) -> Durability {
    let rule: Option<&ChannelRule> = namespace.channels.get(channel);
    rule.and_then(|rule| rule.durability)
        .unwrap_or(namespace.durability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use bmt_shared::namespace::Access;

    fn reloaded(running: &Config, change: impl FnOnce(&mut Config)) -> Reloaded {
        let mut next = running.clone();
        change(&mut next);
        running.followed_by(next)
    }

    #[test]
    fn what_may_change_is_taken_and_what_may_not_is_kept_and_both_are_named() {
        let running = Config::defaults(Mode::Production);
        let after = reloaded(&running, |next| {
            next.limits.publish_per_second = 7;
            next.http.allowed_origins = vec!["https://a.example".to_owned()];
            next.http.port = 1;
            next.auth.jwt_secret = Secret::new("another");
        });
        assert_eq!(after.taken, ["limits.publish_per_second", "http.allowed_origins"]);
        assert_eq!(after.kept, ["auth.jwt_secret", "http.port"]);
        assert_eq!(after.config.limits.publish_per_second, 7);
        assert_eq!(after.config.http.port, running.http.port);
        assert!(after.config.auth.jwt_secret.is_empty());
        let again = reloaded(&after.config, |_| ());
        assert!(again.taken.is_empty() && again.kept.is_empty(), "{again:?}");
    }

    #[test]
    fn a_namespace_changes_its_rules_but_never_its_store_and_does_not_vanish() {
        let running = Config::defaults(Mode::Production);
        let after = reloaded(&running, |next| {
            let mut namespaces = Namespaces::default();
            let mut public = namespaces.get("public").unwrap().clone();
            public.publish = Access::Admins;
            public.durability = Durability::None;
            namespaces.insert("public", public);
            let mut system = namespaces.get("system").unwrap().clone();
            system.channels.clear();
            namespaces.insert("system", system);
            namespaces.insert("news", Namespace::stored(Access::Users, Access::Users));
            next.namespaces = namespaces;
        });
        let metrics = ChannelName::parse("system:metrics").unwrap();
        assert_eq!(
            after.taken,
            ["namespaces.news", "namespaces.public", "namespaces.system"]
        );
        assert_eq!(
            after.kept,
            [
                "namespaces.public.durability",
                "namespaces.system.channels.\"system:metrics\".durability"
            ]
        );
        let rules = &after.config.namespaces;
        assert_eq!(rules.get("public").unwrap().publish, Access::Admins);
        assert_eq!(rules.get("public").unwrap().durability, Durability::Stored);
        let metrics = rules.of(&metrics).unwrap();
        assert_eq!(
            (metrics.durability, metrics.history_size),
            (Durability::Memory, 1_000)
        );

        let back = reloaded(&after.config, |next| next.namespaces = Namespaces::default());
        assert_eq!(back.kept, ["namespaces.news"]);
        assert!(back.config.namespaces.get("news").is_some());
    }

    #[test]
    fn the_secret_that_dev_mode_made_is_no_change() {
        let mut running = Config::defaults(Mode::Dev);
        running.auth.jwt_secret = Secret::new("made by itself");
        let after = reloaded(&running, |next| next.auth.jwt_secret = Secret::default());
        assert!(after.kept.is_empty());
        assert_eq!(after.config.auth.jwt_secret.reveal(), "made by itself");
    }
}

//! Tokens, guests and built-in sessions (SPEC §2).

use serde::{Deserialize, Serialize};

use super::{Mode, Secret};
use crate::auth::BUILT_IN_ISSUER;

/// The table `auth`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Signs and checks HS256 tokens: 32 bytes at least. Dev mode makes its own where this is empty.
    pub jwt_secret: Secret,
    /// What the claim `iss` of tokens from elsewhere must be; empty: anything.
    pub issuer: String,
    /// What the claim `aud` must be or contain; empty: anything.
    pub audience: String,
    /// How far clocks may be apart when a token's times are checked, s; 5 at most.
    pub leeway_s: u64,
    /// Whether somebody without a token comes in as `guest_…`.
    pub guests: bool,
    /// Whether anybody may make an account for themselves.
    pub registration: bool,
    /// How long an access token of the built-in accounts lives, s.
    pub access_ttl_s: u64,
    /// How long a login lasts that is not used, s.
    pub session_ttl_s: u64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            jwt_secret: Secret::default(),
            issuer: String::new(),
            audience: String::new(),
            leeway_s: 5,
            guests: false,
            registration: false,
            access_ttl_s: 15 * 60,
            session_ttl_s: 30 * 24 * 60 * 60,
        }
    }
}

/// Shorter than the hash of HS256, a secret is easier to find than a signature (RFC 7518 §3.2).
const SECRET_BYTES: usize = 32;
/// Fewer different bytes are a key that somebody leaned on.
const SECRET_VARIETY: usize = 8;
/// Secrets of tutorials and templates that are long enough.
const WELL_KNOWN: [&str; 8] = [
    "a-string-secret-at-least-256-bits-long",
    "your-256-bit-secret-your-256-bit-secret",
    "your-super-secret-jwt-key-change-in-production",
    "your-super-secret-jwt-key-change-this-in-production",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-secret-key-change-this-in-production",
    "please-change-me-please-change-me",
    "change-me-change-me-change-me-change-me",
];

impl AuthConfig {
    pub(super) fn check(&self, mode: Mode, problems: &mut Vec<String>) {
        let secret = self.jwt_secret.reveal();
        let missing = secret.is_empty();
        let weakness = if missing {
            "is not set"
        } else if secret.len() < SECRET_BYTES {
            "is too short: it needs 32 bytes at least"
        } else if WELL_KNOWN.contains(&secret.to_ascii_lowercase().as_str()) {
            "is a well-known example"
        } else if variety(secret) < SECRET_VARIETY {
            "has too few different characters"
        } else {
            ""
        };
        let made_by_dev_mode = missing && mode == Mode::Dev;
        if !weakness.is_empty() && !made_by_dev_mode {
            problems.push(format!(
                "The setting `auth.jwt_secret` {weakness}, so anybody could make tokens. Make one with \
                 `openssl rand -base64 48` and set it in the file or as BMT_AUTH__JWT_SECRET; to try things out \
                 on your own machine, use `bmt-server serve --dev`."
            ));
        }
        if self.issuer == BUILT_IN_ISSUER {
            problems.push(format!(
                "`auth.issuer` must not be `{BUILT_IN_ISSUER}`: tokens of the built-in accounts say so."
            ));
        }
        if self.leeway_s > 5 {
            problems.push("`auth.leeway_s` must be 5 at most.".to_owned());
        }
        if !(10..=86_400).contains(&self.access_ttl_s) {
            problems.push("`auth.access_ttl_s` must be between 10 and 86400 seconds.".to_owned());
        }
        if self.session_ttl_s < self.access_ttl_s {
            problems.push("`auth.session_ttl_s` must not be below `auth.access_ttl_s`.".to_owned());
        }
        // Thirty years: the deadline is a time in ms that must stay far from its end.
        if self.session_ttl_s > 1_000_000_000 {
            problems.push("`auth.session_ttl_s` must be 1000000000 at most.".to_owned());
        }
    }
}

fn variety(secret: &str) -> usize {
    let mut bytes = secret.as_bytes().to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

//! Tokens, guests and built-in sessions (SPEC §2).

use std::path::PathBuf;

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
    /// The file of a JSON Web Key Set that tokens from elsewhere are checked with, instead of the secret.
    pub jwks_file: PathBuf,
    /// The address of such a set, `https://…`; read again every five minutes and when a token names a new key. Its
    /// certificate must be trusted by the machine, or by the authorities in the file `SSL_CERT_FILE` names.
    pub jwks_url: String,
    /// What tokens from elsewhere may be signed with: `HS256` (the secret), `RS256`, `ES256`, `EdDSA` (keys of the
    /// set). Empty: `HS256` without a set, the other three with one.
    pub algorithms: Vec<TokenAlgorithm>,
    /// Whether somebody without a token comes in as `guest_…`.
    pub guests: bool,
    /// Whether anybody may make an account for themselves.
    pub registration: bool,
    /// How long an access token of the built-in accounts lives, s.
    pub access_ttl_s: u64,
    /// How long a login lasts that is not used, s.
    pub session_ttl_s: u64,
}

/// How a token may be signed. The configuration chooses; a token only says which of the chosen ones it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenAlgorithm {
    /// HMAC with SHA-256, by the secret.
    HS256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl TokenAlgorithm {
    /// The name in a token's header (RFC 7518 §3.1, RFC 8037 §3.1).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Reads such a name, in exactly its spelling.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::HS256, Self::RS256, Self::ES256, Self::EdDSA];
        all.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            jwt_secret: Secret::default(),
            issuer: String::new(),
            audience: String::new(),
            leeway_s: 5,
            jwks_file: PathBuf::new(),
            jwks_url: String::new(),
            algorithms: Vec::new(),
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
    /// What tokens from elsewhere may be signed with.
    #[must_use]
    pub fn algorithms(&self) -> Vec<TokenAlgorithm> {
        if !self.algorithms.is_empty() {
            return self.algorithms.clone();
        }
        if self.has_key_set() {
            vec![
                TokenAlgorithm::RS256,
                TokenAlgorithm::ES256,
                TokenAlgorithm::EdDSA,
            ]
        } else {
            vec![TokenAlgorithm::HS256]
        }
    }

    fn has_key_set(&self) -> bool {
        !self.jwks_file.as_os_str().is_empty() || !self.jwks_url.is_empty()
    }

    fn check_key_set(&self, problems: &mut Vec<String>) {
        if !self.jwks_file.as_os_str().is_empty() && !self.jwks_url.is_empty() {
            problems.push("Set `auth.jwks_file` or `auth.jwks_url`, not both.".to_owned());
        }
        if !self.jwks_url.is_empty() && !is_safe_address(&self.jwks_url) {
            problems.push(
                "`auth.jwks_url` must be an address `https://…`: whoever changes keys on the way makes tokens. \
                 Only on this machine itself may it be `http://`."
                    .to_owned(),
            );
        }
        let of_set = self.algorithms().iter().any(|one| *one != TokenAlgorithm::HS256);
        if of_set != self.has_key_set() {
            problems.push(
                "`auth.algorithms` and the key set do not go together: RS256, ES256 and EdDSA need \
                 `auth.jwks_file` or `auth.jwks_url`, and a set needs one of them."
                    .to_owned(),
            );
        }
    }

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
        self.check_key_set(problems);
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

fn is_safe_address(address: &str) -> bool {
    let Ok(address) = address.parse::<axum::http::Uri>() else {
        return false;
    };
    let host = address.host().unwrap_or_default();
    match address.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        _ => false,
    }
}

fn variety(secret: &str) -> usize {
    let mut bytes = secret.as_bytes().to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

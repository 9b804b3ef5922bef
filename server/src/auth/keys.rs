//! The keys that tokens are signed with. The configuration decides which algorithms there are, and each key is for
//! one of them.
//!
//! What this server issues itself is signed with its secret. Tokens from elsewhere are signed with the same secret,
//! or with keys of a public set whose other halves only their owner has. A set never speaks for this server's own
//! accounts.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bmt_shared::error::AuthReason;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::claims::Claims;
use super::key_source::KeySource;
use crate::config::{AuthConfig, TokenAlgorithm};

/// The `typ` of an access token (RFC 9068), as it is issued here.
const ACCESS_TYPE: &str = "at+jwt";
/// Every `typ` that an access token may have; none at all is fine too.
const ACCESS_TYPES: [&str; 3] = ["jwt", ACCESS_TYPE, "application/at+jwt"];
/// Longer names of keys are no names but something else in that place.
const KEY_ID_BYTES: usize = 256;

/// See the [module](self).
pub(super) struct Keys {
    sign: EncodingKey,
    verify: DecodingKey,
    algorithms: Vec<TokenAlgorithm>,
    source: Option<Arc<KeySource>>,
}

/// Why a token's claims are not believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unverified {
    /// Whatever is done.
    For(AuthReason),
    /// It names a key that is not known, and could be by now.
    UnknownKey,
}

impl From<AuthReason> for Unverified {
    fn from(reason: AuthReason) -> Self {
        Self::For(reason)
    }
}

/// The parts of a token's header that decide whether it is read at all. Addresses of keys in it are never read.
#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515 §4.1.11); none are.
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

impl Keys {
    /// `source` is where the configuration says that the keys of others are.
    pub(super) fn of(config: &AuthConfig, source: Option<Arc<KeySource>>) -> Self {
        let secret = config.jwt_secret.reveal().as_bytes();
        Self {
            sign: EncodingKey::from_secret(secret),
            verify: DecodingKey::from_secret(secret),
            algorithms: config.algorithms(),
            source,
        }
    }

    /// Where the keys of others come from, if from anywhere.
    pub(super) fn source(&self) -> Option<&Arc<KeySource>> {
        self.source.as_ref()
    }

    /// Answers with the claims of a token whose signature holds. Their meaning is not checked here.
    pub(super) fn verify(&self, token: &str) -> Result<Claims, Unverified> {
        let header = read_header(token).ok_or(AuthReason::Malformed)?;
        // Before the library reads it: a foreign algorithm is a forged signature, whatever its spelling.
        let algorithm = TokenAlgorithm::parse(&header.alg).ok_or(AuthReason::InvalidSignature)?;
        let kind = header.typ.map(|kind| kind.to_ascii_lowercase());
        let fits = kind.is_none_or(|kind| ACCESS_TYPES.contains(&kind.as_str()));
        if algorithm == TokenAlgorithm::HS256 {
            if !fits || header.crit.is_some() {
                return Err(AuthReason::Malformed.into());
            }
            return self.verify_shared(token);
        }
        let (true, Some(source)) = (self.algorithms.contains(&algorithm), &self.source) else {
            return Err(AuthReason::InvalidSignature.into());
        };
        let kid = header.kid.as_deref();
        if !fits || header.crit.is_some() || kid.is_some_and(|kid| kid.len() > KEY_ID_BYTES) {
            return Err(AuthReason::Malformed.into());
        }
        let keys = source.keys();
        if keys.lacks(kid) {
            return Err(Unverified::UnknownKey);
        }
        for key in keys.candidates(kid, algorithm) {
            match decode(token, key, algorithm) {
                Ok(claims) if claims.is_built_in() => break,
                Ok(claims) => return Ok(claims),
                // Reached only after the signature held.
                Err(error) if matches!(error.kind(), ErrorKind::Json(_) | ErrorKind::Utf8(_)) => {
                    return Err(AuthReason::Malformed.into());
                }
                Err(_) => {}
            }
        }
        Err(AuthReason::InvalidSignature.into())
    }

    fn verify_shared(&self, token: &str) -> Result<Claims, Unverified> {
        let decoded = decode(token, &self.verify, TokenAlgorithm::HS256);
        let claims = decoded.map_err(|error| match error.kind() {
            // The header has been decoded before, and the claims are only after the signature held.
            ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::Base64(_) => {
                AuthReason::InvalidSignature
            }
            _ => AuthReason::Malformed,
        })?;
        if !claims.is_built_in() && !self.algorithms.contains(&TokenAlgorithm::HS256) {
            return Err(AuthReason::InvalidSignature.into());
        }
        Ok(claims)
    }

    pub(super) fn sign(&self, claims: &Claims) -> String {
        let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
        header.typ = Some(ACCESS_TYPE.to_owned());
        jsonwebtoken::encode(&header, claims, &self.sign).expect("claims of ours can be written as JSON")
    }
}

fn decode(token: &str, key: &DecodingKey, algorithm: TokenAlgorithm) -> Result<Claims, Error> {
    let mut only_signature = Validation::new(match algorithm {
        TokenAlgorithm::HS256 => jsonwebtoken::Algorithm::HS256,
        TokenAlgorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        TokenAlgorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        TokenAlgorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
    });
    only_signature.required_spec_claims.clear();
    only_signature.validate_exp = false;
    only_signature.validate_nbf = false;
    only_signature.validate_aud = false;
    Ok(jsonwebtoken::decode::<Claims>(token, key, &only_signature)?.claims)
}

fn read_header(token: &str) -> Option<TokenHeader> {
    let mut parts = token.split('.');
    let header = parts.next()?;
    if parts.count() != 2 {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

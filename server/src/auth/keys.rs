//! The keys that tokens are signed with. The key decides the algorithm.
//!
//! A key set from a URL or a file becomes another variant here, chosen by the configuration alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bmt_shared::error::AuthReason;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::claims::Claims;

/// The `typ` of an access token (RFC 9068), as it is issued here.
const ACCESS_TYPE: &str = "at+jwt";
/// Every `typ` that an access token may have; none at all is fine too.
const ACCESS_TYPES: [&str; 3] = ["jwt", ACCESS_TYPE, "application/at+jwt"];

pub(super) enum Keys {
    /// One secret, known to whoever issues tokens: HS256.
    Shared { sign: EncodingKey, verify: DecodingKey },
}

/// The parts of a token's header that decide whether it is read at all.
#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    /// Extensions that must be understood (RFC 7515 §4.1.11); none are.
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

impl Keys {
    pub(super) fn shared_secret(secret: &[u8]) -> Self {
        Self::Shared {
            sign: EncodingKey::from_secret(secret),
            verify: DecodingKey::from_secret(secret),
        }
    }

    /// Answers with the claims of a token whose signature holds. Their meaning is not checked here.
    pub(super) fn verify(&self, token: &str) -> Result<Claims, AuthReason> {
        let Self::Shared { verify, .. } = self;
        let header = read_header(token).ok_or(AuthReason::Malformed)?;
        // Before the library reads it: a foreign algorithm is a forged signature, whatever its spelling.
        if header.alg != "HS256" {
            return Err(AuthReason::InvalidSignature);
        }
        let kind = header.typ.map(|kind| kind.to_ascii_lowercase());
        let fits = kind.is_none_or(|kind| ACCESS_TYPES.contains(&kind.as_str()));
        if !fits || header.crit.is_some() {
            return Err(AuthReason::Malformed);
        }
        let mut only_signature = Validation::new(Algorithm::HS256);
        only_signature.required_spec_claims.clear();
        only_signature.validate_exp = false;
        only_signature.validate_nbf = false;
        only_signature.validate_aud = false;
        match jsonwebtoken::decode::<Claims>(token, verify, &only_signature) {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(match error.kind() {
                // The header has been decoded before, and the claims are only after the signature held.
                ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::Base64(_) => {
                    AuthReason::InvalidSignature
                }
                _ => AuthReason::Malformed,
            }),
        }
    }

    pub(super) fn sign(&self, claims: &Claims) -> String {
        let Self::Shared { sign, .. } = self;
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(ACCESS_TYPE.to_owned());
        jsonwebtoken::encode(&header, claims, sign).expect("claims of ours can be written as JSON")
    }
}

fn read_header(token: &str) -> Option<TokenHeader> {
    let mut parts = token.split('.');
    let header = parts.next()?;
    if parts.count() != 2 {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

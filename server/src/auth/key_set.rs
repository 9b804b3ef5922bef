//! A JSON Web Key Set (RFC 7517): public keys, each bound to the one algorithm that it is for.
//!
//! Keys of other kinds, keys too short, and whatever cannot be read are left out one by one: somebody else's new
//! kind of key must not lock everybody out. Symmetric keys are always left out; a set is public.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::config::TokenAlgorithm;

/// Keys of one set that are kept; providers publish two or three.
const MOST_KEYS: usize = 64;
/// Keys that a token without a key's name is tried with, which bounds the work for a forged one.
const MOST_TRIES: usize = 4;
/// Shorter RSA keys can be factored (RFC 7518 §3.3); longer ones only cost.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// Public exponents are small; a long one is an attempt to make checking expensive.
const RSA_EXPONENT_BYTES: usize = 4;
/// Of a coordinate on P-256 and of an Ed25519 key.
const POINT_BYTES: usize = 32;

/// See the [module](self).
#[derive(Default)]
pub(super) struct KeySet(Vec<PublicKey>);

struct PublicKey {
    id: Option<String>,
    algorithm: TokenAlgorithm,
    key: DecodingKey,
}

/// Why a text is no key set.
#[derive(Debug)]
pub(super) enum KeySetError {
    /// It is not JSON, or has no list `keys`.
    NotASet,
    /// None of its keys is of a kind that is used here.
    NoKeys,
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotASet => "it is no JSON Web Key Set: an object with a list `keys` (RFC 7517 §5)",
            Self::NoKeys => {
                "none of its keys can be used: they must be RSA of 2048 bits or more, P-256 or Ed25519, for \
                 signatures, and of `auth.algorithms`"
            }
        })
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The members that are read of a key (RFC 7518 §6, RFC 8037 §2); addresses in it are not.
#[derive(Deserialize)]
struct Entry {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set and keeps the keys of these algorithms.
    pub(super) fn parse(text: &[u8], algorithms: &[TokenAlgorithm]) -> Result<Self, KeySetError> {
        let set: Set = serde_json::from_slice(text).map_err(|_| KeySetError::NotASet)?;
        let entries = set
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value(key).ok());
        let keys: Vec<_> = entries
            .filter_map(read)
            .filter(|key| algorithms.contains(&key.algorithm))
            .take(MOST_KEYS)
            .collect();
        if keys.is_empty() {
            return Err(KeySetError::NoKeys);
        }
        Ok(Self(keys))
    }

    /// Whether a newer set may hold the key of such a token, and this one does not.
    pub(super) fn lacks(&self, id: Option<&str>) -> bool {
        match id {
            Some(id) => !self.0.iter().any(|key| key.id.as_deref() == Some(id)),
            None => self.0.is_empty(),
        }
    }

    /// The keys that a token of this algorithm, naming this key or none, may be signed with.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: TokenAlgorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let fits =
            move |key: &&PublicKey| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id);
        self.0.iter().filter(fits).map(|key| &key.key).take(MOST_TRIES)
    }
}

fn read(entry: Entry) -> Option<PublicKey> {
    if entry.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let (algorithm, key) = match (entry.kty.as_str(), entry.crv.as_deref()) {
        ("RSA", None) => {
            let (n, e) = (bytes(entry.n.as_deref())?, bytes(entry.e.as_deref())?);
            if !RSA_MODULUS_BYTES.contains(&n.len()) || e.is_empty() || e.len() > RSA_EXPONENT_BYTES {
                return None;
            }
            (
                TokenAlgorithm::RS256,
                DecodingKey::from_rsa_raw_components(&n, &e),
            )
        }
        ("EC", Some("P-256")) => {
            let (x, y) = (point(entry.x.as_deref())?, point(entry.y.as_deref())?);
            (TokenAlgorithm::ES256, DecodingKey::from_ec_components(x, y).ok()?)
        }
        ("OKP", Some("Ed25519")) => {
            let x = point(entry.x.as_deref())?;
            (TokenAlgorithm::EdDSA, DecodingKey::from_ed_components(x).ok()?)
        }
        _ => return None,
    };
    if entry.alg.is_some_and(|alg| alg != algorithm.name()) {
        return None;
    }
    Some(PublicKey {
        id: entry.kid,
        algorithm,
        key,
    })
}

/// Without leading zeros, which some providers write.
fn bytes(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

fn point(text: Option<&str>) -> Option<&str> {
    let text = text?;
    (URL_SAFE_NO_PAD.decode(text).ok()?.len() == POINT_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ALL: [TokenAlgorithm; 3] = [
        TokenAlgorithm::RS256,
        TokenAlgorithm::ES256,
        TokenAlgorithm::EdDSA,
    ];
    /// Any point will do for what is only read: RFC 8037 §A.2.
    const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn set(keys: &Value) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes(), &ALL)
    }

    #[test]
    fn a_key_that_is_not_for_us_is_left_out_and_the_others_stay() {
        let good = json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519, "kid": "good", "jku": "http://x"});
        let modulus = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xa5; bytes]);
        let others = [
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}),
            json!({"kty": "RSA", "n": modulus(128), "e": "AQAB", "kid": "short"}),
            json!({"kty": "RSA", "n": modulus(4_096), "e": "AQAB", "kid": "long"}),
            json!({"kty": "RSA", "n": modulus(256), "e": modulus(256), "kid": "slow"}),
            json!({"kty": "RSA", "n": modulus(256), "e": "AQAB", "use": "enc", "kid": "to encrypt"}),
            json!({"kty": "RSA", "n": modulus(256), "e": "AQAB", "alg": "RS512", "kid": "other"}),
            json!({"kty": "EC", "crv": "P-384", "x": ED25519, "y": ED25519, "kid": "curve"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "cut off"}),
            json!({"kty": 5}),
            json!("nonsense"),
        ];
        let all: Vec<_> = others.into_iter().chain([good]).collect();
        let set = set(&Value::from(all)).unwrap();
        assert_eq!(set.0.len(), 1);
        assert!(!set.lacks(Some("good")) && !set.lacks(None) && set.lacks(Some("short")));
        assert_eq!(set.candidates(Some("good"), TokenAlgorithm::EdDSA).count(), 1);
        assert_eq!(set.candidates(Some("good"), TokenAlgorithm::RS256).count(), 0);
        assert_eq!(set.candidates(None, TokenAlgorithm::EdDSA).count(), 1);
    }

    #[test]
    fn what_holds_no_key_of_ours_is_no_set() {
        assert!(matches!(set(&json!([])), Err(KeySetError::NoKeys)));
        for text in ["", "[]", "{}", r#"{"keys":5}"#, "<html>"] {
            assert!(
                matches!(KeySet::parse(text.as_bytes(), &ALL), Err(KeySetError::NotASet)),
                "{text}"
            );
        }
        let only_rsa = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": ED25519}]}).to_string();
        let parsed = KeySet::parse(only_rsa.as_bytes(), &[TokenAlgorithm::RS256]);
        assert!(matches!(parsed, Err(KeySetError::NoKeys)));
    }
}

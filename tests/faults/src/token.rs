//! Tokens as an application's own back end signs them.

use jsonwebtoken::{EncodingKey, Header, encode};

use crate::clock;

/// The secret that the servers of the suite are started with.
pub(crate) const SECRET: &str = "a-secret-for-faults-only-0123456789abcdef";

/// A token of the user `sub`, good for an hour.
pub(crate) fn of(sub: &str) -> Result<String, String> {
    let now = clock::unix_ms() / 1_000;
    let claims = serde_json::json!({"sub": sub, "name": sub, "role": "user", "iat": now, "exp": now + 3_600});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), &claims, &key).map_err(|error| error.to_string())
}

//! Refresh tokens: `<session>.<generation>.<code>`, the code made from the two with a key of ours.
//!
//! Nothing of them is stored but the generation, so a copy of the database holds no token. Not being JWTs, they
//! never pass for access tokens, nor the other way about.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::SessionId;
use crate::config::Secret;

type Code = Hmac<Sha256>;

/// The authentic content of a refresh token.
#[derive(Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The login it continues.
    pub session: SessionId,
    /// How many times the login was continued before it was issued.
    pub generation: u64,
}

/// Makes and opens refresh tokens.
#[derive(Clone)]
pub struct RefreshKey(Code);

impl RefreshKey {
    /// The key that belongs to this JWT secret. It is derived, so that no code made with it is a JWT's signature.
    #[must_use]
    pub fn derive(secret: &Secret) -> Self {
        let master = keyed(secret.reveal().as_bytes()).chain_update(b"bmt refresh token key v1\0");
        Self(keyed(&master.finalize().into_bytes()))
    }

    /// The text for the cookie.
    #[must_use]
    pub fn seal(&self, token: &RefreshToken) -> String {
        let head = format!("{}.{}", token.session.as_str(), token.generation);
        let code = self.0.clone().chain_update(&head).finalize().into_bytes();
        format!("{head}.{}", URL_SAFE_NO_PAD.encode(code))
    }

    /// Reads what a browser sent; none if it was not made with this key.
    #[must_use]
    pub fn open(&self, text: &str) -> Option<RefreshToken> {
        let (head, code) = text.rsplit_once('.')?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        // `verify_slice` takes the same time wherever the first wrong byte is.
        self.0.clone().chain_update(head).verify_slice(&code).ok()?;
        let (session, generation) = head.split_once('.')?;
        Some(RefreshToken {
            session: SessionId::new(session),
            generation: generation.parse().ok()?,
        })
    }
}

fn keyed(key: &[u8]) -> Code {
    Code::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_key_sealed_opens() {
        let key = RefreshKey::derive(&Secret::new("one secret"));
        let token = RefreshToken {
            session: SessionId::new("s-1"),
            generation: 7,
        };
        let text = key.seal(&token);
        assert_eq!(key.open(&text), Some(token));
        assert_eq!(RefreshKey::derive(&Secret::new("another")).open(&text), None);
        for forged in [
            text.replace(".7.", ".8."),
            text.replace("s-1", "s-2"),
            "..".to_owned(),
            String::new(),
        ] {
            assert_eq!(key.open(&forged), None, "{forged}");
        }
    }
}

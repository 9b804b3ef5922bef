//! Texts of ours that travel through other hands and come back as they were.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::config::Secret;

type Code = Hmac<Sha256>;

/// Makes and opens `<text>.<code>`, the code made from the text with a key of one purpose.
#[derive(Clone)]
pub(crate) struct Seal(Code);

impl Seal {
    /// The key for `purpose` that belongs to this secret. It is derived, so that what is sealed for one purpose
    /// opens for no other, and no code is a JWT's signature.
    pub(crate) fn derive(secret: &Secret, purpose: &str) -> Self {
        let master = keyed(secret.reveal().as_bytes())
            .chain_update(purpose)
            .chain_update(b"\0");
        Self(keyed(&master.finalize().into_bytes()))
    }

    pub(crate) fn seal(&self, text: &str) -> String {
        let code = self.0.clone().chain_update(text).finalize().into_bytes();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(code))
    }

    /// The text, or none if it was not sealed with this key.
    pub(crate) fn open<'a>(&self, sealed: &'a str) -> Option<&'a str> {
        let (text, code) = sealed.rsplit_once('.')?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        // `verify_slice` takes the same time wherever the first wrong byte is.
        self.0.clone().chain_update(text).verify_slice(&code).ok()?;
        Some(text)
    }
}

fn keyed(key: &[u8]) -> Code {
    Code::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_by_its_key_and_for_its_purpose_alone() {
        let secret = Secret::new("one secret");
        let seal = Seal::derive(&secret, "guests");
        let sealed = seal.seal("guest_1");
        assert_eq!(seal.open(&sealed), Some("guest_1"));
        assert_eq!(Seal::derive(&secret, "others").open(&sealed), None);
        assert_eq!(
            Seal::derive(&Secret::new("another"), "guests").open(&sealed),
            None
        );
        for forged in [
            sealed.replace("_1", "_2"),
            "guest_1".to_owned(),
            ".".to_owned(),
            String::new(),
        ] {
            assert_eq!(seal.open(&forged), None, "{forged}");
        }
    }
}

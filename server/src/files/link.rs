//! What the address of a file carries besides its id: proof that this server gave it out. Whoever has the address may
//! read the file, as with any picture in a page; a browser sends no token for those.
//!
//! A link is `<end>.<code>`: when it ends, ms since the Unix epoch, 0 for never, and a code over id and end. It is
//! made with a key of its own for this purpose, so no token, ticket or cookie passes for one, and one passes for none
//! of them.

use crate::auth::Seal;
use crate::config::Secret;

#[derive(Clone)]
pub(super) struct Links {
    seal: Seal,
    ttl_ms: u64,
}

impl Links {
    /// `ttl_ms` of 0 makes links that hold for ever.
    pub(super) fn new(key: &str, ttl_ms: u64) -> Self {
        Self {
            seal: Seal::derive(&Secret::new(key), "files v1"),
            ttl_ms,
        }
    }

    pub(super) fn sign(&self, id: &str, now_ms: u64) -> String {
        let end_ms = match self.ttl_ms {
            0 => 0,
            ttl_ms => now_ms + ttl_ms,
        };
        let sealed = self.seal.seal(&format!("{id}.{end_ms}"));
        sealed[id.len() + 1..].to_owned()
    }

    pub(super) fn holds(&self, id: &str, link: &str, now_ms: u64) -> bool {
        let sealed = format!("{id}.{link}");
        let Some((of, end)) = self.seal.open(&sealed).and_then(|text| text.rsplit_once('.')) else {
            return false;
        };
        of == id
            && end
                .parse()
                .is_ok_and(|end_ms: u64| end_ms == 0 || now_ms < end_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_for_its_file_until_its_end() {
        let links = Links::new("key", 1_000);
        let link = links.sign("a", 5_000);
        assert!(links.holds("a", &link, 5_999) && !links.holds("a", &link, 6_000));
        assert!(!links.holds("b", &link, 5_000));
        let later = link.replace("6000.", "9000.");
        assert!(later != link && !links.holds("a", &later, 5_000));
        assert!(!Links::new("other", 1_000).holds("a", &link, 5_000));
        let endless = Links::new("key", 0).sign("a", 5_000);
        assert!(links.holds("a", &endless, u64::MAX));
        for forged in ["", ".", "0", "0.", "a.0.", &format!("x.{link}")] {
            assert!(!links.holds("a", forged, 0), "{forged}");
        }
    }
}

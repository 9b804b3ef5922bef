//! Random bytes of the operating system, for secrets and ids.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `N` bytes that nobody can foresee.
///
/// # Panics
/// Where the operating system has no random source; nothing safe can be done without one.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// `N` random bytes as text of letters, digits, `-` and `_`: fit for an address, a cookie, a channel's segment.
#[must_use]
pub fn text<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<N>())
}

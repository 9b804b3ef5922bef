//! The browser's clock.

/// Now, ms since the Unix epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the browser's clock is a whole number of ms after 1970"
)]
pub(crate) fn now() -> u64 {
    js_sys::Date::now() as u64
}

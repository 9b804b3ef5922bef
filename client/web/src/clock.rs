//! Time and randomness of the host, which the core takes as arguments.

use bmt_client_core::Now;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    // The clock that never jumps: in pages, in workers and in Node.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic() -> f64;
}

/// Both clocks.
pub(crate) fn now() -> Now {
    Now {
        monotonic_ms: number(monotonic()),
        unix_ms: unix_ms(),
    }
}

/// Ms since the Unix epoch.
pub(crate) fn unix_ms() -> u64 {
    number(js_sys::Date::now())
}

/// 64 random bits: for ids that must differ and for jitter, not for secrets.
pub(crate) fn random() -> u64 {
    const HALF: f64 = 4_294_967_296.0;
    number(js_sys::Math::random() * HALF) << 32 | number(js_sys::Math::random() * HALF)
}

/// A JavaScript number as an integer; what is negative or no number is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and that is what is meant"
)]
pub(crate) fn number(value: f64) -> u64 {
    value as u64
}

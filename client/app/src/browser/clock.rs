//! The browser's clocks.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic() -> f64;
}

/// Now by the device's clock, ms since the Unix epoch. It may be wrong, and be set at any time.
pub(crate) fn now() -> u64 {
    whole(js_sys::Date::now())
}

/// How long the page is there, ms: for what lasts a while, because nobody sets it. It may stand still asleep.
pub(crate) fn steady() -> u64 {
    whole(monotonic())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the browser's clocks are numbers of ms after 1970"
)]
fn whole(ms: f64) -> u64 {
    ms as u64
}

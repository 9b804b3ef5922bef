//! One timeout of the host, cancelled when it is dropped.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};

use crate::clock::now;

/// The longest delay a host takes: above it, browsers and Node fire at once.
const LONGEST_MS: u64 = i32::MAX as u64;

#[wasm_bindgen]
extern "C" {
    // By their global names, so that they are found in pages, in workers and in Node, whose handle is an object.
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Closure<dyn Fn()>, ms: i32) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(handle: &JsValue);
}

/// A timeout that is running, or has run.
pub(crate) struct Timer {
    handle: JsValue,
    due_ms: u64,
    _callback: Closure<dyn Fn()>,
}

impl Timer {
    /// Calls back once after `ms`, or after 24.8 days where that is sooner: the callback looks at the clock
    /// and asks again.
    pub(crate) fn after(ms: u64, callback: impl Fn() + 'static) -> Self {
        let callback = Closure::new(callback);
        let ms = i32::try_from(ms.min(LONGEST_MS)).expect("bounded above");
        Self {
            handle: set_timeout(&callback, ms),
            due_ms: now().monotonic_ms + u64::from(ms.unsigned_abs()),
            _callback: callback,
        }
    }

    /// The same for a time on the monotonic clock.
    pub(crate) fn at(at_ms: u64, callback: impl Fn() + 'static) -> Self {
        Self::after(at_ms.saturating_sub(now().monotonic_ms), callback)
    }

    /// When it calls back, on the monotonic clock.
    pub(crate) fn due_ms(&self) -> u64 {
        self.due_ms
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(&self.handle);
    }
}

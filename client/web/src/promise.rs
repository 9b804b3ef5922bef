//! Waiting for a promise of the host without an executor.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::Reflect;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

#[wasm_bindgen]
extern "C" {
    // A thenable: what `await` takes, promise or not.
    type Thenable;
    #[wasm_bindgen(method)]
    fn then(this: &Thenable, resolved: &JsValue, rejected: &JsValue);
}

/// Calls back with what a value becomes: at once where it is no thenable.
///
/// A promise cannot be told that nobody waits any more, so the callbacks belong to the host's garbage
/// collector; they hold nothing alive if `on_settled` holds weak references.
pub(crate) fn settle(value: JsValue, on_settled: impl FnOnce(Result<JsValue, JsValue>) + 'static) {
    let Some(thenable) = thenable(&value) else {
        on_settled(Ok(value));
        return;
    };
    // One of the two is called, once: it takes the callback.
    let shared = Rc::new(Cell::new(Some(on_settled)));
    let other = shared.clone();
    let resolved = collected(move |value| {
        if let Some(on_settled) = shared.take() {
            on_settled(Ok(value));
        }
    });
    let rejected = collected(move |error| {
        if let Some(on_settled) = other.take() {
            on_settled(Err(error));
        }
    });
    thenable.then(&resolved, &rejected);
}

/// A function that the host's garbage collector owns.
pub(crate) fn collected(callback: impl Fn(JsValue) + 'static) -> JsValue {
    Closure::<dyn Fn(JsValue)>::new(callback).into_js_value()
}

fn thenable(value: &JsValue) -> Option<&Thenable> {
    if !value.is_object() {
        return None;
    }
    let then = Reflect::get(value, &JsValue::from_str("then")).ok()?;
    then.is_function().then(|| value.unchecked_ref())
}

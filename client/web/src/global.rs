//! What the host offers under its global name: a page, a worker and Node differ in what is there.

use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::EventTarget;

#[wasm_bindgen]
extern "C" {
    // Every host that runs this has it under this name; `js_sys::global` looks under four.
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    static GLOBAL: JsValue;
}

/// The global object.
pub(crate) fn host() -> JsValue {
    GLOBAL.with(JsValue::clone)
}

/// A property of any value; `None` where it is missing, null, or its getter throws (as `localStorage` does
/// where storage is blocked).
pub(crate) fn property(of: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(of, &JsValue::from_str(name)).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// A property of the global object.
pub(crate) fn global(name: &str) -> Option<JsValue> {
    GLOBAL.with(|host| property(host, name))
}

/// A method of a value.
pub(crate) fn method(of: &JsValue, name: &str) -> Option<Function> {
    property(of, name)?.dyn_into().ok()
}

/// A value to which listeners can be added. Node's global object is none.
pub(crate) fn event_target(value: JsValue) -> Option<EventTarget> {
    method(&value, "addEventListener")?;
    Some(value.unchecked_into())
}

/// Whether this is Node or a runtime that passes for it.
pub(crate) fn is_node() -> bool {
    global("process")
        .and_then(|process| property(&process, "versions"))
        .and_then(|versions| property(&versions, "node"))
        .is_some()
}

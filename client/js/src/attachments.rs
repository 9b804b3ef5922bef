//! Binary parts of a payload: put where the placeholders stand that name them.

use bytes::Bytes;
use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::object::{Body, integer};

/// Nesting below which no placeholder is looked for; the codec lets none through that is deeper.
const MAX_DEPTH: usize = 128;

/// Replaces every `{"_placeholder":true,"num":N}` below `body` by an `ArrayBuffer` of part N.
pub(crate) fn put(body: &Body, parts: &[Bytes]) {
    if !parts.is_empty() {
        replace_below(body, parts, 0);
    }
}

fn replace_below(value: &JsValue, parts: &[Bytes], depth: usize) {
    if !value.is_object() || depth == MAX_DEPTH {
        return;
    }
    for key in Object::keys(value.unchecked_ref::<Object>()) {
        let child = Reflect::get(value, &key).unwrap_or(JsValue::UNDEFINED);
        match part_of(&child, parts) {
            Some(part) => {
                let buffer = Uint8Array::from(&part[..]).buffer();
                let _ = Reflect::set(value, &key, &buffer);
            }
            None => replace_below(&child, parts, depth + 1),
        }
    }
}

fn part_of<'a>(value: &JsValue, parts: &'a [Bytes]) -> Option<&'a Bytes> {
    let body = Body::of(value.clone())?;
    if body.flag("_placeholder") != Some(true) {
        return None;
    }
    parts.get(usize::try_from(integer(&body.get("num"))?).ok()?)
}

//! JavaScript objects: made field by field, read field by field.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

/// An object under construction.
pub(crate) struct Fields(Object);

impl Fields {
    pub(crate) fn new() -> Self {
        Self(Object::new())
    }

    pub(crate) fn set(self, name: &str, value: impl Into<JsValue>) -> Self {
        let _ = Reflect::set(&self.0, &JsValue::from_str(name), &value.into());
        self
    }

    /// A field that is left out where there is no value.
    pub(crate) fn maybe(self, name: &str, value: Option<impl Into<JsValue>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// A number: exact up to 2⁵³, which no seq and no time reaches.
    pub(crate) fn number(self, name: &str, value: u64) -> Self {
        self.set(name, value as f64)
    }

    pub(crate) fn maybe_number(self, name: &str, value: Option<u64>) -> Self {
        self.maybe(name, value.map(|value| value as f64))
    }

    pub(crate) fn done(self) -> JsValue {
        self.0.into()
    }
}

#[wasm_bindgen]
extern "C" {
    /// A value that `JSON.parse` made. Its getters are its own properties, so reading them cannot throw.
    ///
    /// What every message has is read by getters of its own name, which is faster than by a name that has to be
    /// made first.
    #[derive(Clone)]
    pub(crate) type Body;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn id(this: &Body) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn topic(this: &Body) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn timestamp(this: &Body) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn from(this: &Body) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn seq(this: &Body) -> JsValue;
    // As numbers at once, without a value in between; `NaN` where there is none.
    #[wasm_bindgen(method, getter, js_name = seq)]
    pub(crate) fn seq_number(this: &Body) -> f64;
    #[wasm_bindgen(method, getter, js_name = timestamp)]
    pub(crate) fn timestamp_number(this: &Body) -> f64;
    #[wasm_bindgen(method, getter, js_name = prev)]
    pub(crate) fn prev_number(this: &Body) -> f64;
    #[wasm_bindgen(method, getter, js_name = clientMessageId)]
    pub(crate) fn client_message_id(this: &Body) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = requireDelivery)]
    pub(crate) fn require_delivery(this: &Body) -> JsValue;
}

impl Body {
    /// `None` for what has no properties.
    pub(crate) fn of(value: JsValue) -> Option<Self> {
        value.is_object().then(|| value.unchecked_into())
    }

    pub(crate) fn parse(json: &str) -> Option<Self> {
        Self::of(js_sys::JSON::parse(json).ok()?)
    }

    pub(crate) fn get(&self, name: &str) -> JsValue {
        Reflect::get(self, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
    }

    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        Self::of(self.get(name))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).as_string()
    }

    pub(crate) fn integer(&self, name: &str) -> Option<u64> {
        integer(&self.get(name))
    }

    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        self.get(name).as_f64()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).as_bool()
    }

    /// The elements of an array; none where there is no array.
    pub(crate) fn list(&self, name: &str) -> Vec<JsValue> {
        let array = self.get(name).dyn_into::<Array>();
        array.map_or_else(|_| Vec::new(), |array| array.iter().collect())
    }
}

/// A number as an integer; `None` for what is none, below zero or beyond the exact ones.
pub(crate) fn integer(value: &JsValue) -> Option<u64> {
    whole(value.as_f64()?)
}

/// The same of a number.
pub(crate) fn whole(number: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be an integer in the range"
    )]
    ((0.0..=EXACT).contains(&number) && number.trunc() == number).then_some(number as u64)
}

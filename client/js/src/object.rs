//! JavaScript objects: made field by field, read field by field.

use std::cell::RefCell;

use bmt_client_web::PLAIN_MESSAGE;
use bmt_shared::sorted::SortedMap;
use js_sys::{Array, JsString, Object, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

/// An object under construction.
pub(crate) struct Fields(Object);

impl Fields {
    pub(crate) fn new() -> Self {
        Self(Object::new())
    }

    pub(crate) fn set(self, name: &'static str, value: impl Into<JsValue>) -> Self {
        self.put(name, &value.into());
        self
    }

    fn put(&self, name: &'static str, value: &JsValue) {
        let _ = Reflect::set(&self.0, &text_of(name), value);
    }

    /// A field that is left out where there is no value.
    pub(crate) fn maybe(self, name: &'static str, value: Option<impl Into<JsValue>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// A number: exact up to 2⁵³, which no seq and no time reaches.
    pub(crate) fn number(self, name: &'static str, value: u64) -> Self {
        self.set(name, value as f64)
    }

    pub(crate) fn maybe_number(self, name: &'static str, value: Option<u64>) -> Self {
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
    // The options of a publish, which the package has gathered.
    #[wasm_bindgen(method, getter, js_name = messageId)]
    pub(crate) fn message_id(this: &Body) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn ttl(this: &Body) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn priority(this: &Body) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn parts(this: &Body) -> JsValue;
}

#[wasm_bindgen]
extern "C" {
    // Those of `js_sys` take texts of Rust's, which have to be made anew for every call.
    type Text;
    #[wasm_bindgen(method, js_name = startsWith)]
    fn starts_with(this: &Text, beginning: &JsValue) -> bool;
    #[wasm_bindgen(method, js_name = endsWith)]
    fn ends_with(this: &Text, end: &JsValue) -> bool;
    #[wasm_bindgen(catch, js_namespace = JSON, js_name = parse)]
    fn parse_text(text: &JsString) -> Result<JsValue, JsValue>;
}

thread_local! {
    /// Names of fields and events as the host's texts, by where they stand in memory: as many as the code has. To make
    /// one anew costs more than all else that is done with it.
    static NAMES: RefCell<SortedMap<(usize, usize), JsValue>> = const { RefCell::new(SortedMap::new()) };
    /// [`PLAIN_MESSAGE`] as the host's texts.
    static AROUND: (JsValue, JsValue) = (PLAIN_MESSAGE.0.into(), PLAIN_MESSAGE.1.into());
}

/// A name as the host's text.
pub(crate) fn text_of(name: &'static str) -> JsValue {
    let place = (name.as_ptr() as usize, name.len());
    NAMES.with_borrow_mut(|names| {
        if let Some(text) = names.get(&place) {
            return text.clone();
        }
        let text = JsValue::from_str(name);
        names.insert(place, text.clone());
        text
    })
}

/// The body of a message that is alone in its frame, without a copy of the frame: a part of a text is a view of it.
pub(crate) fn message_body(frame: &JsString) -> Option<Body> {
    let (beginning, end) = PLAIN_MESSAGE;
    let text: &Text = frame.unchecked_ref();
    if !AROUND.with(|(beginning, end)| text.starts_with(beginning) && text.ends_with(end)) {
        return None;
    }
    let from = u32::try_from(beginning.len()).expect("a few letters");
    let to = frame.length() - u32::try_from(end.len()).expect("a letter");
    Body::of(parse_text(&frame.slice(from, to)).ok()?)
}

impl Body {
    /// `None` for what has no properties.
    pub(crate) fn of(value: JsValue) -> Option<Self> {
        value.is_object().then(|| value.unchecked_into())
    }

    pub(crate) fn parse(json: &str) -> Option<Self> {
        Self::of(js_sys::JSON::parse(json).ok()?)
    }

    pub(crate) fn get(&self, name: &'static str) -> JsValue {
        self.at(&text_of(name))
    }

    /// What stands under a name that the application chose.
    pub(crate) fn at(&self, name: &JsValue) -> JsValue {
        Reflect::get(self, name).unwrap_or(JsValue::UNDEFINED)
    }

    pub(crate) fn object(&self, name: &'static str) -> Option<Self> {
        Self::of(self.get(name))
    }

    pub(crate) fn text(&self, name: &'static str) -> Option<String> {
        self.get(name).as_string()
    }

    pub(crate) fn integer(&self, name: &'static str) -> Option<u64> {
        integer(&self.get(name))
    }

    pub(crate) fn float(&self, name: &'static str) -> Option<f64> {
        self.get(name).as_f64()
    }

    pub(crate) fn flag(&self, name: &'static str) -> Option<bool> {
        self.get(name).as_bool()
    }

    /// The elements of an array; none where there is no array.
    pub(crate) fn list(&self, name: &'static str) -> Vec<JsValue> {
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

//! The host's key-value storage, or nothing where it is missing, blocked or not wanted.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Storage;

use crate::global::{global, is_node, method, property};

/// What the application says about storage.
#[derive(Clone, Debug, Default)]
pub enum StorageChoice {
    /// The page's `localStorage` where there is one.
    #[default]
    Local,
    /// An object with the methods of `localStorage`.
    Given(JsValue),
    /// Memory only.
    None,
}

/// Storage that can be read and written.
#[derive(Clone)]
pub(crate) struct Store(Storage);

impl Store {
    /// Opens what was chosen; `None` where it cannot be used.
    pub(crate) fn open(choice: &StorageChoice) -> Option<Self> {
        let found = match choice {
            StorageChoice::None => return None,
            StorageChoice::Given(value) => value.clone(),
            // Node's own is one for all programs of a folder, and warns when it is looked at.
            StorageChoice::Local if is_node() => return None,
            StorageChoice::Local => global("localStorage")?,
        };
        method(&found, "getItem")?;
        method(&found, "setItem")?;
        let store = Self(found.unchecked_into());
        // Some browsers show a storage that refuses every write, and is empty. One that is full can still be read, and
        // may hold what an earlier page left.
        let probe = "offline_messages_probe";
        let is_usable = store.set(probe, "1").is_ok() || store.0.length().unwrap_or(0) > 0;
        store.remove(probe);
        is_usable.then_some(store)
    }

    /// The text under a key.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.0.get_item(key).ok().flatten()
    }

    /// Writes; an error means "full" or "gone", and the old text stands.
    pub(crate) fn set(&self, key: &str, text: &str) -> Result<(), StoreError> {
        self.0.set_item(key, text).map_err(|_| StoreError)
    }

    /// Removes; a key that is not there is fine.
    pub(crate) fn remove(&self, key: &str) {
        let _ = self.0.remove_item(key);
    }

    /// All keys that begin with `prefix`.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let count = self.0.length().unwrap_or(0);
        let keys = (0..count).filter_map(|at| self.0.key(at).ok().flatten());
        keys.filter(|key| key.starts_with(prefix)).collect()
    }
}

/// A write was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreError;

/// Reads JSON text with the host's own reader.
pub(crate) fn parse_json(text: &str) -> Option<JsValue> {
    js_sys::JSON::parse(text).ok()
}

/// Writes a value as JSON with the host's own writer; `None` for what JSON cannot say.
pub(crate) fn to_json(value: &JsValue) -> Option<String> {
    js_sys::JSON::stringify(value)
        .ok()
        .filter(|json| json.is_string())
        .map(String::from)
}

/// A string property.
pub(crate) fn text(of: &JsValue, name: &str) -> Option<String> {
    property(of, name)?.as_string()
}

/// A number property as an integer.
pub(crate) fn integer(of: &JsValue, name: &str) -> Option<u64> {
    property(of, name)?.as_f64().map(crate::clock::number)
}

/// An own property, whatever its value: `null` is a payload too.
pub(crate) fn own(of: &JsValue, name: &str) -> Option<JsValue> {
    let key = JsValue::from_str(name);
    Reflect::has(of, &key)
        .ok()?
        .then(|| Reflect::get(of, &key).ok())?
}

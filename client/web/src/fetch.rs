//! HTTP requests of the host, for long-polling.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::AbortController;

use crate::global::{global, method, property};
use crate::promise::settle;

/// The status and the body of an answer, or a sentence on why there is none.
pub(crate) type Answer = Result<(u16, String), String>;

/// Requests that wait for the server. Dropped, they are given up.
pub(crate) struct Polls(AbortController);

impl Polls {
    /// `None` where the host cannot give requests up: then they end by themselves.
    pub(crate) fn new() -> Option<Self> {
        AbortController::new().ok().map(Self)
    }
}

impl Drop for Polls {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Posts a body, with or without a page to come back to.
pub(crate) fn post(url: &str, body: &str, is_last: bool, on_answer: impl FnOnce(Answer) + 'static) {
    let init = init("POST");
    set(&init, "body", &JsValue::from_str(body));
    set(&init, "keepalive", &JsValue::from_bool(is_last));
    fetch(url, &init, on_answer);
}

/// Waits for what the server has to say.
pub(crate) fn poll(url: &str, polls: Option<&Polls>, on_answer: impl FnOnce(Answer) + 'static) {
    let init = init("GET");
    if let Some(Polls(controller)) = polls {
        set(&init, "signal", &controller.signal());
    }
    fetch(url, &init, on_answer);
}

fn init(verb: &str) -> Object {
    let init = Object::new();
    set(&init, "method", &JsValue::from_str(verb));
    set(&init, "cache", &JsValue::from_str("no-store"));
    init
}

fn set(object: &Object, name: &str, value: &JsValue) {
    // A plain object takes every property.
    let _ = Reflect::set(object, &JsValue::from_str(name), value);
}

fn fetch(url: &str, init: &Object, on_answer: impl FnOnce(Answer) + 'static) {
    let asked = global("fetch")
        .and_then(|fetch| fetch.dyn_into::<Function>().ok())
        .ok_or_else(|| JsValue::from_str("this JavaScript host has no fetch"))
        .and_then(|fetch| fetch.call2(&JsValue::UNDEFINED, &JsValue::from_str(url), init));
    settle(later(asked), move |answered| match answered {
        Ok(response) => {
            let status = property(&response, "status").and_then(|status| status.as_f64());
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a status has three digits"
            )]
            let status = status.unwrap_or_default() as u16;
            let text = method(&response, "text")
                .ok_or(JsValue::UNDEFINED)
                .and_then(|text| text.call0(&response));
            settle(later(text), move |text| {
                on_answer(match text {
                    Ok(text) => Ok((status, text.as_string().unwrap_or_default())),
                    Err(error) => Err(sentence(error)),
                });
            });
        }
        Err(error) => on_answer(Err(sentence(error))),
    });
}

/// What was thrown at once comes as what is thrown later does.
fn later(called: Result<JsValue, JsValue>) -> JsValue {
    called.unwrap_or_else(|error| Promise::reject(&error).into())
}

fn sentence(error: JsValue) -> String {
    String::from(Object::from(error).to_string())
}

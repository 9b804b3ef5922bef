//! Where tokens come from: a fixed text, or whoever is asked for every connect (SPEC §9).

use std::future::Future;
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::JsValue;

use crate::promise;

/// The answer to one question for a token: the token, "as a guest", or a sentence why there is none.
pub type TokenAnswer = Result<Option<String>, String>;

/// Takes the answer, once.
type OnAnswer = Box<dyn FnOnce(TokenAnswer)>;

/// What the driver is answered.
pub(crate) enum Answered {
    /// A source that may have another one the next time.
    Asked(TokenAnswer),
    /// All there is.
    Fixed(Option<String>),
}

/// A source of tokens.
#[derive(Clone)]
pub struct Auth(Source);

#[derive(Clone)]
enum Source {
    Fixed(Option<Rc<str>>),
    Provider(Rc<dyn Fn(OnAnswer)>),
}

impl Auth {
    /// No token: the server's guests (SPEC §2).
    #[must_use]
    pub fn guest() -> Self {
        Self(Source::Fixed(None))
    }

    /// Always this token, with or without `Bearer ` before it.
    #[must_use]
    pub fn token(token: &str) -> Self {
        Self(Source::Fixed(Some(Rc::from(token))))
    }

    /// Asks an async function for every connect.
    pub fn provider<F, A>(ask: F) -> Self
    where
        F: Fn() -> A + 'static,
        A: Future<Output = TokenAnswer> + 'static,
    {
        Self(Source::Provider(Rc::new(move |on_answer| {
            let answer = ask();
            wasm_bindgen_futures::spawn_local(async move { on_answer(answer.await) });
        })))
    }

    /// Asks a JavaScript function that returns a string, nothing, or a promise of either.
    #[must_use]
    pub fn function(ask: Function) -> Self {
        Self(Source::Provider(Rc::new(move |on_answer| {
            match ask.call0(&JsValue::UNDEFINED) {
                Ok(value) => promise::settle(value, |settled| on_answer(answer_of(settled))),
                Err(error) => on_answer(Err(sentence(&error))),
            }
        })))
    }

    /// Asks; the answer may come before this returns.
    pub(crate) fn ask(&self, on_answer: impl FnOnce(Answered) + 'static) {
        match &self.0 {
            Source::Fixed(token) => on_answer(Answered::Fixed(token.as_deref().map(str::to_owned))),
            Source::Provider(ask) => ask(Box::new(move |answer| on_answer(Answered::Asked(answer)))),
        }
    }
}

fn answer_of(settled: Result<JsValue, JsValue>) -> TokenAnswer {
    match settled {
        Ok(value) if value.is_undefined() || value.is_null() => Ok(None),
        Ok(value) => match value.as_string() {
            Some(token) => Ok(Some(token)),
            None => Err("the token provider returned something that is no string".to_owned()),
        },
        Err(error) => Err(sentence(&error)),
    }
}

/// What was thrown, for people.
pub(crate) fn sentence(error: &JsValue) -> String {
    let message = crate::global::property(error, "message").and_then(|message| message.as_string());
    message
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "the token provider failed without saying why".to_owned())
}

//! The class behind `RealtimeClient`.

use bmt_client_web::{Answer, Listener, Realtime};
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::face::JsFace;
use crate::object::{Fields, text_of};
use crate::{error, event, face, options, reply};

/// A client of one server, which reports to one function.
#[wasm_bindgen]
pub struct Client {
    realtime: Realtime<JsFace>,
    _listeners: [Listener; 2],
}

#[wasm_bindgen]
impl Client {
    /// Does nothing yet. `on_event` is called with the name and the body of everything that happens.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(url: &str, options: JsValue, on_event: Function) -> Self {
        let realtime = Realtime::reading(options::client(url, options), JsFace, face::read_message);
        let call = on_event.clone();
        let events = realtime.on_event(move |event| {
            if let Some((name, body)) = event::write(event) {
                let _ = call.call2(&JsValue::UNDEFINED, &text_of(name), &body);
            }
        });
        let warnings = realtime.on_warning(move |warning| {
            let body = Fields::new()
                .set("code", warning.code)
                .set("message", warning.message);
            let _ = on_event.call2(&JsValue::UNDEFINED, &"warning".into(), &body.done());
        });
        Self {
            realtime,
            _listeners: [events, warnings],
        }
    }

    /// Connects; a token or a provider of tokens takes the place of the one before.
    pub fn connect(&self, token: JsValue) {
        if !token.is_undefined() {
            self.realtime.set_auth(options::auth(token));
        }
        self.realtime.connect();
    }

    /// Closes the connection and stays away.
    pub fn disconnect(&self) {
        self.realtime.disconnect();
    }

    /// Tries again at once.
    #[wasm_bindgen(js_name = retryNow)]
    pub fn retry_now(&self) {
        self.realtime.retry_now();
    }

    /// Queues a message under the `messageId` of the options.
    pub fn publish(&self, topic: &str, payload: &JsValue, options: JsValue) -> Result<(), JsValue> {
        let (publish, message_id) = options::publish(topic, payload, options)?;
        let queued = self.realtime.publish(publish, message_id);
        queued.map_err(|why| error::write(&why, Some(topic)))?;
        Ok(())
    }

    /// Subscribes; the promise settles with the server's reply.
    pub fn subscribe(&self, topic: &str, options: JsValue) -> Result<Promise, JsValue> {
        let subscribe = options::subscribe(topic, options)?;
        Ok(promise(self.realtime.subscribe(subscribe), topic))
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, topic: &str) -> Result<Promise, JsValue> {
        let name = options::topic(topic)?;
        Ok(promise(self.realtime.unsubscribe(&name), topic))
    }

    /// Says something to the present subscribers only.
    pub fn signal(&self, topic: &str, payload: &JsValue, options: &JsValue) -> Result<(), JsValue> {
        let name = options::topic(topic)?;
        let payload = options::payload(payload, options, topic)?;
        let sent = self.realtime.signal(&name, payload);
        sent.map_err(|why| error::write(&why, Some(topic)))
    }

    /// A page of history.
    pub fn history(&self, topic: &str, options: JsValue) -> Result<Promise, JsValue> {
        let query = options::history(topic, options)?;
        Ok(promise(self.realtime.history(query), topic))
    }

    /// Who is present.
    pub fn presence(&self, topic: &str) -> Result<Promise, JsValue> {
        let name = options::topic(topic)?;
        Ok(promise(self.realtime.presence(&name), topic))
    }

    /// Says how far the user has read.
    pub fn read(&self, topic: &str, seq: f64) -> Result<Promise, JsValue> {
        let name = options::topic(topic)?;
        let seq = crate::object::integer(&seq.into());
        let seq = seq.ok_or_else(|| error::invalid("a seq is 0, 1, 2, …", Some(topic)))?;
        Ok(promise(self.realtime.read(&name, seq), topic))
    }

    /// The link's state.
    #[must_use]
    pub fn state(&self) -> JsValue {
        event::state(&self.realtime.state())
    }

    /// Counts since the client was made.
    #[must_use]
    pub fn stats(&self) -> JsValue {
        event::stats(self.realtime.state().status, &self.realtime.stats())
    }
}

/// An answer as a promise. It needs no executor: the answer calls one of the promise's functions.
fn promise(answer: Answer<JsFace>, topic: &str) -> Promise {
    let mut functions = None;
    let promise = Promise::new(&mut |resolve, reject| functions = Some((resolve, reject)));
    let (resolve, reject) = functions.expect("a promise runs its executor at once");
    let topic = topic.to_owned();
    answer.then(move |answered| {
        let _ = match answered {
            Ok(reply) => resolve.call1(&JsValue::UNDEFINED, &reply::write(&reply)),
            Err(why) => reject.call1(&JsValue::UNDEFINED, &error::write(&why, Some(&topic))),
        };
    });
    promise
}

//! One WebSocket of the host. It says nothing any more once it is dropped.

use std::rc::Rc;

use js_sys::{Array, ArrayBuffer, Function, JsString, Reflect, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use crate::global::global;

/// Longest frame that is taken, UTF-16 units or bytes. Servers send at most a few MB at once; what is larger is an
/// error of theirs, and the memory of a page that took it in would never shrink again.
const MOST_FRAME: u32 = 16 * 1_024 * 1_024;

/// What a socket says.
#[derive(Debug)]
pub(crate) enum SocketEvent {
    /// It may be written to.
    Opened,
    /// A text frame.
    Text(JsString),
    /// A binary frame.
    Binary(Vec<u8>),
    /// It is over; nothing follows. 1006 where no close frame came.
    Closed { code: u16, reason: String },
}

/// A socket that is connecting, open or closing.
pub(crate) struct Socket {
    socket: WebSocket,
    _opened: Closure<dyn Fn()>,
    // Of one type, because each has a piece of JavaScript of its own.
    _message: Closure<dyn Fn(JsValue)>,
    _closed: Closure<dyn Fn(JsValue)>,
}

impl Socket {
    /// Begins to connect. `constructor` stands in for the host's `WebSocket`, which Node has from version 22.
    ///
    /// # Errors
    /// What the constructor threw (a malformed address), or a sentence where the host has none.
    pub(crate) fn open(
        url: &str,
        protocols: &[String],
        constructor: Option<&Function>,
        on_event: Rc<dyn Fn(SocketEvent)>,
    ) -> Result<Self, String> {
        let socket = construct(url, protocols, constructor)?;
        socket.set_binary_type(BinaryType::Arraybuffer);

        let on = on_event.clone();
        let opened = Closure::<dyn Fn()>::new(move || on(SocketEvent::Opened));
        let on = on_event.clone();
        let message = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            if let Some(event) = frame(event.unchecked_ref::<MessageEvent>().data()) {
                on(event);
            }
        });
        let closed = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            let event: &CloseEvent = event.unchecked_ref();
            on_event(SocketEvent::Closed {
                code: event.code(),
                reason: event.reason(),
            });
        });
        // Says nothing that `close` does not say right after, but `ws` throws where nobody listens for it, even
        // after this value is gone: so this one belongs to the host's garbage collector.
        let error = Closure::<dyn Fn()>::new(|| {}).into_js_value();
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        socket.set_onerror(Some(error.unchecked_ref()));
        Ok(Self {
            socket,
            _opened: opened,
            _message: message,
            _closed: closed,
        })
    }

    /// Sends a text frame. A socket that is not open drops it: the close that is under way tells the rest.
    pub(crate) fn send_text(&self, frame: &str) {
        if self.is_open() {
            let _ = self.socket.send_with_str(frame);
        }
    }

    /// Sends a binary frame, under the same terms.
    pub(crate) fn send_binary(&self, frame: &[u8]) {
        if self.is_open() {
            let _ = self.socket.send_with_u8_array(frame);
        }
    }

    /// Closes with a code and a word for the peer. A host lets programs say 1000 and 3000 to 4999 only.
    pub(crate) fn close(self, code: u16, reason: &str) {
        if code == 1000 || (3000..=4999).contains(&code) {
            let _ = self.socket.close_with_code_and_reason(code, reason);
        }
    }

    fn is_open(&self) -> bool {
        self.socket.ready_state() == WebSocket::OPEN
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}

fn construct(url: &str, protocols: &[String], constructor: Option<&Function>) -> Result<WebSocket, String> {
    let host = || global("WebSocket").and_then(|found| found.dyn_into::<Function>().ok());
    let Some(constructor) = constructor.cloned().or_else(host) else {
        return Err("this JavaScript host has no WebSocket".to_owned());
    };
    let arguments = Array::of1(&JsValue::from_str(url));
    if !protocols.is_empty() {
        arguments.push(
            &protocols
                .iter()
                .map(|name| JsValue::from_str(name))
                .collect::<Array>(),
        );
    }
    match Reflect::construct(&constructor, &arguments) {
        Ok(socket) => Ok(socket.unchecked_into()),
        Err(error) => Err(String::from(js_sys::Object::from(error).to_string())),
    }
}

fn frame(data: JsValue) -> Option<SocketEvent> {
    match data.dyn_into::<JsString>() {
        Ok(text) if text.length() > MOST_FRAME => Some(too_large()),
        Ok(text) => Some(SocketEvent::Text(text)),
        Err(data) => {
            let buffer = data.dyn_into::<ArrayBuffer>().ok()?;
            if buffer.byte_length() > MOST_FRAME {
                return Some(too_large());
            }
            Some(SocketEvent::Binary(Uint8Array::new(&buffer).to_vec()))
        }
    }
}

/// The connection is given up. The code 1009 would say that it was a frame of ours.
fn too_large() -> SocketEvent {
    SocketEvent::Closed {
        code: 1006,
        reason: "the server sent a frame of more than 16 MB".to_owned(),
    }
}

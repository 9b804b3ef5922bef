//! What happens to the page: network, visibility, freezing and leaving. Hosts without pages say nothing.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::EventTarget;

use crate::global::{event_target, global, host, property};

/// A change that the run loop reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageEvent {
    /// The host thinks that there is a network again.
    Online,
    /// The host knows that there is no network.
    Offline,
    /// The page can be seen, was thawed, or came back from the back/forward cache.
    Visible,
    /// The page cannot be seen.
    Hidden,
    /// The page is left or frozen: nothing may be held for other tabs to wait for.
    Leaving,
}

/// Listeners to the page's events; they go when this goes.
pub(crate) struct Page {
    _listeners: Vec<PageListener>,
}

impl Page {
    /// Listens to everything this host has to tell.
    pub(crate) fn watch(on_event: &Rc<dyn Fn(PageEvent)>) -> Self {
        let mut listeners = Vec::new();
        let mut listen = |target: &EventTarget, name: &'static str, event: PageEvent| {
            let on_event = on_event.clone();
            listeners.push(PageListener::add(target, name, move || on_event(event)));
        };
        if let Some(scope) = event_target(host()) {
            listen(&scope, "online", PageEvent::Online);
            listen(&scope, "offline", PageEvent::Offline);
            listen(&scope, "pagehide", PageEvent::Leaving);
            listen(&scope, "pageshow", PageEvent::Visible);
        }
        if let Some(document) = global("document").and_then(event_target) {
            listen(&document, "freeze", PageEvent::Leaving);
            listen(&document, "resume", PageEvent::Visible);
            let on_event = on_event.clone();
            listeners.push(PageListener::add(&document, "visibilitychange", move || {
                on_event(if is_hidden() {
                    PageEvent::Hidden
                } else {
                    PageEvent::Visible
                });
            }));
        }
        Self {
            _listeners: listeners,
        }
    }
}

/// Whether the host says outright that there is no network.
pub(crate) fn is_offline() -> bool {
    global("navigator")
        .and_then(|navigator| property(&navigator, "onLine"))
        .and_then(|online| online.as_bool())
        == Some(false)
}

/// Whether this is a page that cannot be seen.
pub(crate) fn is_hidden() -> bool {
    global("document")
        .and_then(|document| property(&document, "hidden"))
        .and_then(|hidden| hidden.as_bool())
        == Some(true)
}

struct PageListener {
    target: EventTarget,
    name: &'static str,
    callback: Closure<dyn Fn()>,
}

impl PageListener {
    fn add(target: &EventTarget, name: &'static str, callback: impl Fn() + 'static) -> Self {
        let callback = Closure::new(callback);
        let _ = target.add_event_listener_with_callback(name, callback.as_ref().unchecked_ref());
        Self {
            target: target.clone(),
            name,
            callback,
        }
    }
}

impl Drop for PageListener {
    fn drop(&mut self) {
        let callback = self.callback.as_ref().unchecked_ref();
        let _ = self
            .target
            .remove_event_listener_with_callback(self.name, callback);
    }
}

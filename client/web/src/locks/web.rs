//! The lock by the Web Locks API: the host hands it on when its holder is closed or crashes.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::Closure;
use web_sys::AbortController;

use super::OnHeld;
use crate::global::{global, method, property};
use crate::promise;

/// The host's lock manager, where it has one that works here. Plain http pages have none.
pub(super) fn locks() -> Option<JsValue> {
    let locks = property(&global("navigator")?, "locks")?;
    method(&locks, "request")?;
    Some(locks)
}

pub(super) struct WebLock(Rc<Inner>);

struct Inner {
    locks: JsValue,
    name: JsValue,
    on_held: OnHeld,
    state: RefCell<State>,
    /// Counts the requests: the end of an earlier one is none of the present one's.
    round: Cell<u32>,
}

enum State {
    Idle,
    /// Aborted by this controller.
    Asked(Option<AbortController>),
    /// Held until this function is called.
    Held(Function),
}

impl WebLock {
    pub(super) fn new(locks: JsValue, name: &str, on_held: OnHeld) -> Self {
        Self(Rc::new(Inner {
            locks,
            name: JsValue::from_str(name),
            on_held,
            state: RefCell::new(State::Idle),
            round: Cell::new(0),
        }))
    }

    pub(super) fn acquire(&self) {
        self.request(false);
    }

    pub(super) fn take_over(&self) {
        self.release();
        self.request(true);
    }

    fn request(&self, steals: bool) {
        let inner = &self.0;
        let controller = {
            let mut state = inner.state.borrow_mut();
            if !matches!(*state, State::Idle) {
                return;
            }
            // What is stolen is had at once, so nothing could be aborted; the two options exclude each other.
            let controller = AbortController::new().ok().filter(|_| !steals);
            *state = State::Asked(controller.clone());
            controller
        };
        let options = Object::new();
        if let Some(controller) = controller {
            let _ = Reflect::set(&options, &"signal".into(), &controller.signal());
        }
        if steals {
            let _ = Reflect::set(&options, &"steal".into(), &JsValue::TRUE);
        }
        let round = inner.round.get().wrapping_add(1);
        inner.round.set(round);
        let asked = Rc::downgrade(inner);
        let robbed = asked.clone();
        let granted = Closure::<dyn Fn(JsValue) -> JsValue>::new(move |_| hold(&asked)).into_js_value();
        let request = method(&inner.locks, "request").expect("looked for when the manager was found");
        match request.call3(&inner.locks, &inner.name, &options, &granted) {
            Ok(done) => promise::settle(done, move |end| {
                if end.is_err() {
                    rejected(&robbed, round);
                }
            }),
            Err(_) => (inner.on_held)(true),
        }
    }

    pub(super) fn is_held(&self) -> bool {
        matches!(*self.0.state.borrow(), State::Held(_))
    }

    pub(super) fn release(&self) {
        match self.0.state.replace(State::Idle) {
            State::Idle | State::Asked(None) => {}
            State::Asked(Some(controller)) => controller.abort(),
            State::Held(resolve) => {
                let _ = resolve.call0(&JsValue::UNDEFINED);
            }
        }
    }
}

impl Drop for WebLock {
    fn drop(&mut self) {
        self.release();
    }
}

/// Another tab has taken the lock away, or the page has the API and not the right, as a sandboxed one: it shares with
/// nobody. A request that was aborted is not asked any more.
fn rejected(robbed: &Weak<Inner>, round: u32) {
    let Some(inner) = robbed.upgrade().filter(|inner| inner.round.get() == round) else {
        return;
    };
    match inner.state.replace(State::Idle) {
        State::Idle => {}
        State::Asked(_) => (inner.on_held)(true),
        State::Held(_) => (inner.on_held)(false),
    }
}

/// What the host waits for before it hands the lock on: nothing where the lock is no longer wanted.
fn hold(asked: &Weak<Inner>) -> JsValue {
    let Some(inner) = asked.upgrade() else {
        return JsValue::UNDEFINED;
    };
    if !matches!(*inner.state.borrow(), State::Asked(_)) {
        return JsValue::UNDEFINED;
    }
    let mut resolve = None;
    let held = Promise::new(&mut |resolved, _rejected| resolve = Some(resolved));
    *inner.state.borrow_mut() = State::Held(resolve.expect("a promise runs its executor at once"));
    (inner.on_held)(true);
    held.into()
}

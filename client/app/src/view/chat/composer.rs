//! Where one writes. The field belongs to the browser: nothing that arrives rewrites it, and what an input
//! method composes is left alone.

use std::cell::Cell;
use std::rc::Rc;

use bmt_shared::channel::ChannelName;
use bmt_shared::id::UserId;
use leptos::ev::KeyboardEvent;
use leptos::html::Textarea;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;

use super::label::label;
use crate::browser::keep;
use crate::i18n::Words;
use crate::live::{Live, SendTrouble, use_live};
use crate::store::{Store, use_store};
use crate::view::icon::Icon;

/// Most messages that wait to be sent (SPEC §9).
const QUEUE_MOST: usize = 1_000;
/// The key code of a key that an input method took.
const TAKEN_BY_INPUT_METHOD: u32 = 229;

/// The element that index.html's styles size by its content; browsers without that are helped.
const FIELD_ID: &str = "composer";

fn sentence(words: &Words, trouble: SendTrouble) -> String {
    match trouble {
        SendTrouble::TooLong => words.chat.too_long.to_owned(),
        SendTrouble::QueueFull => (words.chat.queue_full)(QUEUE_MOST),
        SendTrouble::SignedOut => words.login.session_ended.to_owned(),
    }
}

fn field() -> Option<HtmlTextAreaElement> {
    let document = web_sys::window()?.document()?;
    document.get_element_by_id(FIELD_ID)?.dyn_into().ok()
}

/// Puts a refused message's text back, behind what is being written.
pub(super) fn put_back(text: &str) {
    let Some(field) = field() else { return };
    let before = field.value();
    let joined = if before.trim().is_empty() {
        text.to_owned()
    } else {
        format!("{before}\n{text}")
    };
    field.set_value(&joined);
    let _ = field.focus();
    // The draft is kept by whoever listens to what is typed.
    if let Ok(event) = web_sys::Event::new("input") {
        let _ = field.dispatch_event(&event);
    }
}

/// Whether the key belongs to an input method: it is composing, or this very key ended its composition.
fn belongs_to_input_method(event: &KeyboardEvent, composing: bool) -> bool {
    composing || event.is_composing() || event.key_code() == TAKEN_BY_INPUT_METHOD
}

/// Makes the field as high as its text where the style sheet cannot.
fn fit(field: &HtmlTextAreaElement) {
    let style = web_sys::HtmlElement::style(field);
    let done = if field.value().is_empty() {
        style.remove_property("height").map(drop)
    } else {
        style
            .set_property("height", "auto")
            .and_then(|()| style.set_property("height", &format!("{}px", field.scroll_height())))
    };
    // Both are well-formed declarations.
    let _ = done;
}

fn sizes_by_style() -> bool {
    web_sys::css::supports_with_value("field-sizing", "content").unwrap_or(false)
}

/// The field that is being written in, and where its text goes.
#[derive(Clone)]
struct Writing {
    field: NodeRef<Textarea>,
    me: UserId,
    topic: ChannelName,
    trouble: RwSignal<Option<SendTrouble>>,
    /// The browser gives the field its height.
    sized: bool,
}

impl Writing {
    fn fit(&self, field: &HtmlTextAreaElement) {
        if !self.sized {
            fit(field);
        }
    }

    /// Puts the draft into the field once it stands in the page; answers whether it does.
    fn restore(&self) -> bool {
        let Some(field) = self.field.get() else {
            return false;
        };
        field.set_value(&keep::draft(&self.me, &self.topic));
        self.fit(&field);
        focus_if_typing_is_easy(&field);
        true
    }

    fn typed(&self) {
        let Some(field) = self.field.get_untracked() else {
            return;
        };
        keep::set_draft(&self.me, &self.topic, &field.value());
        self.trouble.set(None);
        self.fit(&field);
    }

    fn send(&self, live: Live) {
        let Some(field) = self.field.get_untracked() else {
            return;
        };
        let written = field.value();
        let text = written.trim_end();
        if text.trim().is_empty() {
            return;
        }
        match live.send(&self.topic, text) {
            Ok(()) => {
                field.set_value("");
                self.typed();
                live.to_latest(&self.topic);
            }
            Err(why) => self.trouble.set(Some(why)),
        }
    }
}

/// Writes to `topic`.
#[component]
pub(super) fn Composer(topic: ChannelName) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let composing = Rc::new(Cell::new(false));
    let trouble = RwSignal::new(None::<SendTrouble>);
    let writing = Writing {
        field: NodeRef::new(),
        me: store.chat.with_untracked(|chat| chat.me().clone()),
        topic,
        trouble,
        sized: sizes_by_style(),
    };
    let node = writing.field;
    let name = writing.topic.clone();
    let placeholder = move || {
        let title = store.chat.with(|chat| label(&name, &chat.people));
        (store.words().chat.composer)(&title)
    };
    let (restored, typed, by_key, by_form) = (writing.clone(), writing.clone(), writing.clone(), writing);
    Effect::new(move |filled: Option<bool>| filled == Some(true) || restored.restore());
    let (begins, ends, asks) = (composing.clone(), composing.clone(), composing);
    let on_key = move |event: KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() && !belongs_to_input_method(&event, asks.get()) {
            event.prevent_default();
            by_key.send(live);
        }
    };
    view! {
        <form
            class="composer"
            on:submit=move |event| {
                event.prevent_default();
                by_form.send(live);
            }
        >
            <div class="composer-box">
                <textarea
                    id=FIELD_ID
                    rows="1"
                    node_ref=node
                    data-testid="composer"
                    autocomplete="off"
                    enterkeyhint="send"
                    aria-label=placeholder.clone()
                    placeholder=placeholder
                    aria-describedby="composer-note"
                    on:input=move |_| typed.typed()
                    on:keydown=on_key
                    on:compositionstart=move |_| begins.set(true)
                    on:compositionend=move |_| ends.set(false)
                ></textarea>
                <button
                    class="send"
                    type="submit"
                    data-testid="send"
                    aria-label=move || store.words().chat.send
                    title=move || store.words().chat.send
                >
                    {Icon::Send.draw(20)}
                </button>
            </div>
            {note(store, trouble)}
        </form>
    }
}

/// What keeps the text from being sent, or which keys do what.
fn note(store: Store, trouble: RwSignal<Option<SendTrouble>>) -> impl IntoView {
    view! {
        <p
            class="composer-note"
            id="composer-note"
            role="status"
            data-bad=move || trouble.get().map(|_| "")
        >
            {move || match trouble.get() {
                Some(why) => sentence(store.words(), why),
                None => store.words().chat.keys.to_owned(),
            }}
        </p>
    }
}

/// Takes the focus where that brings up no keyboard over half the screen.
fn focus_if_typing_is_easy(field: &HtmlTextAreaElement) {
    let hovers = web_sys::window()
        .and_then(|window| window.match_media("(hover: hover)").ok().flatten())
        .is_some_and(|query| query.matches());
    if hovers {
        let _ = field.focus();
    }
}

//! What happens when the app panics: nothing of it can be trusted any more, so the page says so by itself.
//!
//! Drafts and the queue are in storage already, so a reload brings them back. The report goes to the server's
//! `/api/v1/errors` (SPEC §8), without any text a person wrote.

use std::cell::{Cell, RefCell};

use serde_json::json;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Document, Element, RequestInit, Window};

use crate::browser::{appearance, clock};
use crate::i18n::Words;

thread_local! {
    static SHOWN: Cell<bool> = const { Cell::new(false) };
    // They live as long as the page: there is no component left that could own them.
    static KEPT: RefCell<Vec<Closure<dyn FnMut()>>> = const { RefCell::new(Vec::new()) };
}

/// Shows the overlay at the first panic. With `localStorage["bmt:test"]` set, `window.__bmtTest.panic()` makes
/// one, for the tests of this very thing.
pub(crate) fn watch() {
    std::panic::set_hook(Box::new(|info| {
        if SHOWN.replace(true) {
            return;
        }
        let report = info.to_string();
        if let Some(window) = web_sys::window() {
            tell_server(&window, &report);
            if let Some(document) = window.document() {
                // Without a body there is nothing to show it on.
                let _ = show(&document, &report);
            }
        }
    }));
    offer_test_panic();
}

fn show(document: &Document, report: &str) -> Option<()> {
    let words = appearance::language().words();
    let element = |name: &str, class: &str| {
        let element = document.create_element(name).ok()?;
        element.set_class_name(class);
        Some(element)
    };
    let overlay = element("div", "crash")?;
    overlay.set_attribute("data-testid", "crash").ok()?;
    overlay.set_attribute("role", "alertdialog").ok()?;
    overlay.set_attribute("aria-labelledby", "crash-title").ok()?;
    let card = element("div", "crash-card")?;
    let title = element("h1", "")?;
    title.set_id("crash-title");
    title.set_text_content(Some(words.trouble.crash_title));
    let lead = element("p", "")?;
    lead.set_text_content(Some(words.trouble.crash_lead));
    let details = element("details", "")?;
    let summary = element("summary", "")?;
    summary.set_text_content(Some(words.trouble.crash_details));
    let text = element("pre", "")?;
    text.set_text_content(Some(report));
    details.append_child(&summary).ok()?;
    details.append_child(&text).ok()?;
    let actions = buttons(document, words, report)?;
    for part in [&title, &lead, &actions, &details] {
        card.append_child(part).ok()?;
    }
    overlay.append_child(&card).ok()?;
    document.body()?.append_child(&overlay).ok()?;
    Some(())
}

fn buttons(document: &Document, words: &'static Words, report: &str) -> Option<Element> {
    let actions = document.create_element("div").ok()?;
    actions.set_class_name("crash-actions");
    let button = |class: &str, label: &str| {
        let button = document.create_element("button").ok()?;
        button.set_class_name(class);
        button.set_text_content(Some(label));
        actions.append_child(&button).ok()?;
        Some(button)
    };
    let reload = button("button button-main", words.reload)?;
    listen(&reload, || {
        if let Some(window) = web_sys::window() {
            let _ = window.location().reload();
        }
    });
    let copy = button("button", words.trouble.crash_copy)?;
    let (report, label) = (report.to_owned(), copy.clone());
    listen(&copy, move || {
        if let Some(window) = web_sys::window() {
            // Whether it may be copied the browser decides; the details are there to be selected.
            let _ = window.navigator().clipboard().write_text(&report);
            label.set_text_content(Some(words.trouble.crash_copied));
        }
    });
    Some(actions)
}

fn listen(button: &Element, clicked: impl FnMut() + 'static) {
    let closure = Closure::<dyn FnMut()>::new(clicked);
    let _ = button.add_event_listener_with_callback("click", closure.as_ref().unchecked_ref());
    KEPT.with_borrow_mut(|kept| kept.push(closure));
}

fn tell_server(window: &Window, report: &str) {
    let options = RequestInit::new();
    options.set_method("POST");
    let body = json!({"error": report, "timestamp": clock::now()}).to_string();
    options.set_body(&body.into());
    let Ok(headers) = web_sys::Headers::new() else {
        return;
    };
    if headers.set("content-type", "application/json").is_ok() {
        options.set_headers(&headers);
        // Nobody waits for the answer: there is nobody left.
        let _ = window.fetch_with_str_and_init("api/v1/errors", &options);
    }
}

fn offer_test_panic() {
    let asked = crate::browser::keep::get::<bool>("bmt:test").unwrap_or(false);
    let Some(window) = web_sys::window().filter(|_| asked) else {
        return;
    };
    let hook = js_sys::Object::new();
    let panic = Closure::<dyn FnMut()>::new(|| panic!("asked for by a test"));
    let _ = js_sys::Reflect::set(&hook, &"panic".into(), panic.as_ref());
    let _ = js_sys::Reflect::set(&window, &"__bmtTest".into(), &hook);
    KEPT.with_borrow_mut(|kept| kept.push(panic));
}

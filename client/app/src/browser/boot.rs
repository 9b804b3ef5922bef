//! The page that stood before the app was there: what was typed into it, and its end.

use wasm_bindgen::JsCast;
use web_sys::{Document, HtmlElement, HtmlInputElement};

/// What somebody did on the page before the app was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The user name so far.
    pub(crate) username: String,
    /// The password so far.
    pub(crate) password: String,
    /// Whether the form was sent already.
    pub(crate) submitted: bool,
    /// The name of the field that has the focus.
    pub(crate) focused: Option<String>,
}

fn document() -> Option<Document> {
    web_sys::window()?.document()
}

/// Reads the page's form; none once the app has taken its place.
pub(crate) fn typed() -> Option<Typed> {
    let document = document()?;
    document.get_element_by_id("boot")?;
    let value = |id: &str| {
        let input = document
            .get_element_by_id(id)?
            .dyn_into::<HtmlInputElement>()
            .ok()?;
        Some(input.value())
    };
    let form = document.query_selector("#boot form").ok().flatten();
    let focused = document
        .active_element()
        .and_then(|element| element.get_attribute("name"));
    Some(Typed {
        username: value("boot-username").unwrap_or_default(),
        password: value("boot-password").unwrap_or_default(),
        submitted: form.is_some_and(|form| form.has_attribute("data-submitted")),
        focused,
    })
}

/// The app runs: a failure from here on is none of loading. Answers whether all that the app needs is there; if
/// not (a style sheet is missing), the page says so and stays.
pub(crate) fn finish() -> bool {
    let Some(window) = web_sys::window() else {
        return false;
    };
    let boot = js_sys::Reflect::get(&window, &"bmtBoot".into()).unwrap_or_default();
    let ready = js_sys::Reflect::get(&boot, &"ready".into()).unwrap_or_default();
    let answer = ready
        .dyn_ref::<js_sys::Function>()
        .and_then(|ready| ready.call0(&boot).ok());
    answer.and_then(|answer| answer.as_bool()).unwrap_or(true)
}

/// Takes the page away: the app is drawn.
pub(crate) fn remove() {
    let Some(document) = document() else { return };
    if let Some(page) = document.get_element_by_id("boot") {
        page.remove();
    }
    let root = document.document_element();
    if let Some(root) = root.and_then(|root| root.dyn_into::<HtmlElement>().ok()) {
        let _ = root.remove_attribute("data-returning");
    }
}

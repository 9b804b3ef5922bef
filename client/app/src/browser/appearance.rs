//! Theme and language of the page itself.

use serde::{Deserialize, Serialize};
use web_sys::HtmlElement;

use super::keep;
use crate::i18n::Language;

/// Light, dark, or as the device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    /// As the device is.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All, in the order of the settings page.
    pub(crate) const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::System];

    /// The setting's value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The theme that was chosen.
pub(crate) fn theme() -> Theme {
    keep::get(keep::THEME).unwrap_or_default()
}

/// Puts a theme on the page and remembers it.
pub(crate) fn set_theme(theme: Theme) {
    keep::set(keep::THEME, &theme);
    if let Some(root) = root() {
        let done = match theme {
            Theme::System => root.remove_attribute("data-theme"),
            chosen => root.set_attribute("data-theme", chosen.as_str()),
        };
        // Both names are well formed.
        let _ = done;
    }
}

/// The language that was chosen, else the browser's.
pub(crate) fn language() -> Language {
    let chosen: Option<String> = keep::get(keep::LANGUAGE);
    if let Some(language) = chosen.as_deref().and_then(Language::from_tag) {
        return language;
    }
    let Some(window) = web_sys::window() else {
        return Language::default();
    };
    let tags: Vec<String> = window
        .navigator()
        .languages()
        .iter()
        .filter_map(|tag| tag.as_string())
        .collect();
    Language::for_preferences(tags.iter().map(String::as_str))
}

/// Remembers a chosen language.
pub(crate) fn keep_language(language: Language) {
    keep::set(keep::LANGUAGE, &language.tag());
}

/// Says on the page which language it is in: screen readers and fonts go by it.
pub(crate) fn mark_language(language: Language) {
    if let Some(root) = root() {
        root.set_lang(language.tag());
    }
}

fn root() -> Option<HtmlElement> {
    use wasm_bindgen::JsCast;
    web_sys::window()?.document()?.document_element()?.dyn_into().ok()
}

//! Where the app lives below its origin: under the server's `http.base_path` (SPEC §10), which the page's `base` says.

use std::sync::LazyLock;

use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// The path that the app lives under, without a slash at its end; mostly empty.
pub(crate) fn base() -> &'static str {
    static BASE: LazyLock<String> = LazyLock::new(|| {
        let uri = web_sys::window()
            .and_then(|window| window.document())
            .and_then(|document| document.base_uri().ok().flatten());
        let path = uri
            .and_then(|uri| web_sys::Url::new(&uri).ok())
            .map(|url| url.pathname());
        path.unwrap_or_default().trim_end_matches('/').to_owned()
    });
    &BASE
}

/// What a link to a page of ours points at. (Navigating by program adds the base itself.)
pub(crate) fn link(page: &str) -> String {
    format!("{}{page}", base())
}

/// The path of the page that is shown, as the page table knows it: without the base.
pub(crate) fn use_path() -> Memo<String> {
    let path = use_location().pathname;
    Memo::new(move |_| path.with(|path| below(base(), path).to_owned()))
}

fn below<'a>(base: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(base) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn pages_are_known_by_their_path_below_the_base() {
        for (base, path, page) in [
            ("", "/chat/general", "/chat/general"),
            ("", "/", "/"),
            ("/realtime", "/realtime/chat", "/chat"),
            ("/realtime", "/realtime/", "/"),
            ("/realtime", "/realtime", "/"),
            ("/a/b", "/a/b/settings", "/settings"),
            // Not ours, whatever it begins with.
            ("/real", "/realtime/chat", "/realtime/chat"),
        ] {
            assert_eq!(below(base, path), page, "{path} below {base:?}");
        }
    }
}

//! What an application says when it makes a client.

use bmt_client_core::Config;
use js_sys::Function;

use crate::global::{global, property};
use crate::storage::StorageChoice;
use crate::token::Auth;

/// Options of a client. The core's are in `config`; those the driver knows better (`server`, `seed`,
/// `queue.shared`) it fills in itself.
#[derive(Clone)]
pub struct Options {
    /// The server: `https://example.org`, with the path of the endpoint's folder where it has one. Empty for
    /// where the page came from.
    pub url: String,
    /// Where tokens come from.
    pub auth: Auth,
    /// Where the queue is kept.
    pub storage: StorageChoice,
    /// A class to use instead of the host's `WebSocket`.
    pub web_socket: Option<Function>,
    /// See [`Config`].
    pub config: Config,
}

impl Options {
    /// The defaults of SPEC §9 for a server.
    #[must_use]
    pub fn new(url: &str, auth: Auth) -> Self {
        Self {
            url: url.to_owned(),
            auth,
            storage: StorageChoice::Local,
            web_socket: None,
            config: Config::default(),
        }
    }

    /// The server's origin, such as `https://example.org`: what queued entries name it by.
    pub(crate) fn origin(&self) -> String {
        let url = self.url.trim_end_matches('/');
        if url.is_empty() || url.starts_with('/') {
            let location = global("location").and_then(|location| property(&location, "origin"));
            return location.and_then(|origin| origin.as_string()).unwrap_or_default();
        }
        split_origin(url).0.to_owned()
    }

    /// Path of the endpoint: below that of the server, unless the application says otherwise.
    pub(crate) fn path(&self) -> Option<String> {
        let (base, binding) = (self.base_path(), self.config.binding);
        let below = (!base.is_empty()).then(|| [base, binding.path()].concat());
        self.config.path.clone().or(below)
    }

    /// The path that the server lives under, without a slash at its end; mostly empty.
    pub(crate) fn base_path(&self) -> &str {
        let url = self.url.trim_end_matches('/');
        if url.starts_with('/') {
            url
        } else {
            split_origin(url).1
        }
    }
}

/// `https://host:1/base` as `https://host:1` and `/base`.
fn split_origin(url: &str) -> (&str, &str) {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    // The third slash begins the path: two stand before the host.
    match url.match_indices('/').nth(2) {
        Some((at, _)) => url.split_at(at),
        None => (url, ""),
    }
}

/// The WebSocket address of an endpoint of `origin`; `ws:` and `wss:` origins are taken as they are.
pub(crate) fn socket_url(origin: &str, path_and_query: &str) -> String {
    match origin.strip_prefix("http") {
        Some(rest) => format!("ws{rest}{path_and_query}"),
        None => format!("{origin}{path_and_query}"),
    }
}

/// The HTTP address of an endpoint of `origin`; `http:` and `https:` origins are taken as they are.
pub(crate) fn http_url(origin: &str, path_and_query: &str) -> String {
    match origin.strip_prefix("ws") {
        Some(rest) => format!("http{rest}{path_and_query}"),
        None => format!("{origin}{path_and_query}"),
    }
}

#[cfg(test)]
mod tests {
    use bmt_client_core::Binding;

    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (url, origin, path) in [
            ("http://localhost:5000", "http://localhost:5000", ""),
            ("https://a.example/", "https://a.example", ""),
            ("https://a.example/base/", "https://a.example", "/base"),
            ("wss://a.example/x?y=1", "wss://a.example", "/x"),
        ] {
            let options = Options::new(url, Auth::guest());
            assert_eq!(
                (options.origin().as_str(), options.base_path()),
                (origin, path),
                "{url}"
            );
        }
    }

    #[test]
    fn both_endpoints_lie_below_the_servers_own_path() {
        let path = |url, binding, path: Option<&str>| {
            let mut options = Options::new(url, Auth::guest());
            options.config.binding = binding;
            options.config.path = path.map(str::to_owned);
            options.path()
        };
        let below = "https://a.example/base/";
        assert_eq!(
            path(below, Binding::SocketIo, None).as_deref(),
            Some("/base/socket.io/")
        );
        assert_eq!(
            path(below, Binding::Raw, None).as_deref(),
            Some("/base/api/v1/ws")
        );
        assert_eq!(path(below, Binding::Raw, Some("/own")).as_deref(), Some("/own"));
        assert_eq!(path("https://a.example", Binding::Raw, None), None);
    }

    #[test]
    fn secure_pages_get_secure_sockets() {
        assert_eq!(socket_url("https://a", "/s"), "wss://a/s");
        assert_eq!(socket_url("http://a:1", "/s"), "ws://a:1/s");
        assert_eq!(socket_url("ws://a", "/s"), "ws://a/s");
        assert_eq!(http_url("wss://a:1", "/s"), "https://a:1/s");
        assert_eq!(http_url("http://a", "/s"), "http://a/s");
    }
}

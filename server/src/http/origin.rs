//! Whose pages may talk to us from a browser (SPEC §10): same origin by default.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::config::{Config, Mode};

/// Whether the request's `Origin` is ours, is configured, or is absent (no browser sent it). In dev mode every
/// loopback origin is fine: front-end tools serve pages on ports of their own.
#[must_use]
pub fn origin_allowed(headers: &HeaderMap, config: &Config) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    let (Ok(origin), None) = (origin.to_str(), origins.next()) else {
        return false;
    };
    let configured = &config.http.allowed_origins;
    let listed = configured
        .iter()
        .any(|allowed| allowed == "*" || allowed.trim_end_matches('/').eq_ignore_ascii_case(origin));
    listed
        || host_of(origin).is_some_and(|(host, port)| {
            is_own(host, port, headers) || (config.mode == Mode::Dev && is_loopback(host))
        })
}

/// The host and port of `http://host:port`; the scheme's own port where none is named.
fn host_of(origin: &str) -> Option<(&str, u16)> {
    let (rest, own_port) = match origin.split_once("://")? {
        ("http", rest) => (rest, 80),
        ("https", rest) => (rest, 443),
        _ => return None,
    };
    let (host, port) = split_port(rest);
    Some((host, port.unwrap_or(Some(own_port))?))
}

/// `host:port` taken apart. The outer option is whether a port is named, the inner whether it is a number.
fn split_port(text: &str) -> (&str, Option<Option<u16>>) {
    match text.rsplit_once(':') {
        // An IPv6 address without a port ends in a bracket.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok())),
        _ => (text, None),
    }
}

/// Whether the page came from the address that this request was sent to. A `Host` without a port is reached
/// through a proxy or the standard ports; which of the two the request does not tell.
fn is_own(host: &str, port: u16, headers: &HeaderMap) -> bool {
    let Some(own) = headers.get(header::HOST).and_then(|own| own.to_str().ok()) else {
        return false;
    };
    let (own_host, own_port) = split_port(own);
    let port_fits = match own_port {
        Some(own_port) => own_port == Some(port),
        None => port == 80 || port == 443,
    };
    port_fits && own_host.eq_ignore_ascii_case(host)
}

fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    name == "localhost" || name.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(mode: Mode, configured: &[&str], host: &str, origin: &str) -> bool {
        let mut config = Config::defaults(mode);
        config.http.allowed_origins = configured.iter().map(|&origin| origin.to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if !origin.is_empty() {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        origin_allowed(&headers, &config)
    }

    #[test]
    fn the_same_origin_and_programs_without_one_are_allowed() {
        let ok = |host, origin| allowed(Mode::Production, &[], host, origin);
        assert!(ok("chat.example:5000", ""));
        assert!(ok("chat.example:5000", "http://chat.example:5000"));
        assert!(ok("chat.example", "https://chat.example"));
        assert!(ok("chat.example:443", "https://Chat.example"));
        assert!(ok("[::1]:5000", "http://[::1]:5000"));
    }

    #[test]
    fn others_are_not_nor_is_what_only_looks_alike() {
        for origin in [
            "https://evil.example",
            "http://chat.example.evil.example:5000",
            "http://chat.example:5001",
            "http://chat.example",
            "ftp://chat.example:5000",
            "null",
            "http://",
            "http://chat.example:x",
            "chat.example:5000",
            "http://localhost:5000",
        ] {
            assert!(
                !allowed(Mode::Production, &[], "chat.example:5000", origin),
                "{origin}"
            );
        }
    }

    #[test]
    fn configured_origins_are_allowed_exactly() {
        let ok = |origin| {
            allowed(
                Mode::Production,
                &["https://app.example", "http://b:1"],
                "chat.example",
                origin,
            )
        };
        assert!(ok("https://app.example"));
        assert!(ok("http://b:1"));
        assert!(!ok("http://app.example"));
        assert!(!ok("https://app.example:444"));
        assert!(allowed(
            Mode::Production,
            &["*"],
            "chat.example",
            "https://anybody.example"
        ));
    }

    #[test]
    fn dev_mode_adds_loopback_and_nothing_else() {
        let ok = |origin| allowed(Mode::Dev, &[], "localhost:5000", origin);
        for origin in [
            "http://localhost:5173",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://app.localhost",
        ] {
            assert!(ok(origin), "{origin}");
        }
        for origin in ["http://localhost.evil.example", "http://10.0.0.1:5000", "null"] {
            assert!(!ok(origin), "{origin}");
        }
    }
}

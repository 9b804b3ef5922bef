//! The cookie that continues a login. Scripts cannot read it and other sites cannot make a browser send it.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};

pub(in crate::http) const REFRESH: &str = "bmt_refresh";
const GUEST: &str = "bmt_guest";

/// The refresh token of a request.
pub(super) fn refresh_token(headers: &HeaderMap) -> Option<&str> {
    find(headers, REFRESH)
}

/// What a guest's browser kept.
pub(super) fn guest(headers: &HeaderMap) -> Option<&str> {
    find(headers, GUEST)
}

fn find<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// Hands the token to the browser. `base` is the server's base path, without a slash at its end.
pub(super) fn set(token: &str, lives_ms: u64, base: &str, secure: bool) -> HeaderValue {
    write(REFRESH, token, seconds(lives_ms), base, secure)
}

/// Lets a guest's browser keep who the guest is.
pub(super) fn keep_guest(keepsake: &str, lives_ms: u64, base: &str, secure: bool) -> HeaderValue {
    write(GUEST, keepsake, seconds(lives_ms), base, secure)
}

fn seconds(ms: u64) -> Duration {
    Duration::seconds(i64::try_from(ms / 1_000).unwrap_or(i64::MAX))
}

/// Takes it back.
pub(super) fn clear(base: &str, secure: bool) -> HeaderValue {
    write(REFRESH, "", Duration::ZERO, base, secure)
}

fn write(name: &'static str, token: &str, max_age: Duration, base: &str, secure: bool) -> HeaderValue {
    let cookie = Cookie::build((name, token))
        .path(format!("{base}/api/v1/auth"))
        .max_age(max_age)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .build();
    HeaderValue::from_str(&cookie.to_string()).expect("tokens and paths are of plain characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_for_the_auth_routes_alone_and_out_of_reach_of_scripts() {
        let text = set("t.1.x", 60_500, "/base", true);
        let text = text.to_str().unwrap();
        assert!(text.starts_with("bmt_refresh=t.1.x; "), "{text}");
        for part in [
            "HttpOnly",
            "SameSite=Strict",
            "Secure",
            "Path=/base/api/v1/auth",
            "Max-Age=60",
        ] {
            assert!(text.split("; ").any(|found| found == part), "{part} in {text}");
        }
        assert!(!set("t", 1, "", false).to_str().unwrap().contains("Secure"));
        assert!(clear("", false).to_str().unwrap().contains("Max-Age=0"));
    }

    #[test]
    fn it_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; xbmt_refresh=no".parse().unwrap());
        headers.append(header::COOKIE, "c=d; bmt_refresh=yes; e".parse().unwrap());
        assert_eq!(refresh_token(&headers), Some("yes"));
        assert_eq!(refresh_token(&HeaderMap::new()), None);
    }
}

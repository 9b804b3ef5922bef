//! The web app: its page under every view's address, its files under theirs (SPEC §11).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Refusal, page, refusal};
use crate::assets::{self, Asset};
use crate::node::Node;
use crate::random;

/// The addresses of the app's views. Anything else that is no file is not found.
const VIEWS: [&str; 11] = [
    "/",
    "/login",
    "/chat",
    "/chat/{*channel}",
    "/dashboard",
    "/notifications",
    "/docs",
    "/docs/{*id}",
    "/admin",
    "/admin/{*part}",
    "/settings",
];

pub(super) fn router() -> Router<Arc<Node>> {
    let views = Router::new();
    VIEWS
        .iter()
        .fold(views, |views, path| views.route(path, get(view)))
}

/// The page under the base path with a slash at its end; nesting answers to the one without.
pub(super) fn home(base: &str) -> Router<Arc<Node>> {
    Router::new().route(&format!("{base}/"), get(view))
}

/// The page, with a nonce of its own: it is never stored.
async fn view(State(node): State<Arc<Node>>) -> Response {
    let nonce = random::text::<16>();
    let mut response = Response::new(Body::from(assets::page(node.base_path(), &nonce)));
    let headers = response.headers_mut();
    let set = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, page::app_policy(&nonce)),
    ];
    headers.extend(set);
    response
}

/// A file of the app. They are a table in the binary, looked up by their whole path: no address leads out of it.
pub(super) async fn file(
    method: Method,
    uri: Uri,
    whole: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Some(asset) = assets::lookup(uri.path()) else {
        return Err(refusal::no_such_address(whole).await);
    };
    if method != Method::GET && method != Method::HEAD {
        return Err(refusal::method_not_allowed(method, whole).await);
    }
    Ok(send(asset, &headers))
}

fn send(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let mut response = if is_known(headers, asset.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match asset.brotli.filter(|_| takes_brotli(headers)) {
            Some(small) => {
                let mut response = Response::new(Body::from(small));
                let brotli = HeaderValue::from_static("br");
                response.headers_mut().insert(header::CONTENT_ENCODING, brotli);
                response
            }
            None => Response::new(Body::from(asset.bytes)),
        }
    };
    let set = [
        (header::ETAG, asset.etag),
        (header::CACHE_CONTROL, asset.cache_control()),
        (header::CONTENT_TYPE, asset.content_type()),
    ];
    for (name, value) in set {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    if asset.content_type().starts_with("text/javascript") {
        let policy = HeaderValue::from_static(page::SCRIPT_POLICY);
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if asset.brotli.is_some() {
        let encoding = HeaderValue::from_static("accept-encoding");
        response.headers_mut().append(header::VARY, encoding);
    }
    response
}

/// Whether the browser has this content already (RFC 9110 §13.1.2; weak comparison).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let own = opaque(etag);
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|tag| tag.trim() == "*" || opaque(tag) == own)
}

/// Whether `br` is accepted, and not with a weight of zero (RFC 9110 §12.5.3).
fn takes_brotli(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let refused =
                weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
            name.eq_ignore_ascii_case("br") && !refused
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn brotli_is_sent_to_those_who_take_it() {
        for yes in ["br", "gzip, br", "gzip, deflate, br;q=0.5", "BR"] {
            assert!(takes_brotli(&with(header::ACCEPT_ENCODING, yes)), "{yes}");
        }
        for no in ["gzip", "br;q=0", "br; q=0.0", "brotli", ""] {
            assert!(!takes_brotli(&with(header::ACCEPT_ENCODING, no)), "{no}");
        }
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let etag = "W/\"abc\"";
        for known in ["W/\"abc\"", "\"abc\"", "\"x\", W/\"abc\"", "*"] {
            assert!(is_known(&with(header::IF_NONE_MATCH, known), etag), "{known}");
        }
        assert!(!is_known(&with(header::IF_NONE_MATCH, "\"abd\""), etag));
        assert!(!is_known(&HeaderMap::new(), etag));
    }

    #[test]
    fn a_file_says_how_it_is_kept_and_packed() {
        static ASSET: Asset = Asset {
            path: "app-0123456789abcdef.js",
            etag: "W/\"abc\"",
            bytes: b"long",
            brotli: Some(b"s"),
        };
        let plain = send(&ASSET, &HeaderMap::new());
        assert_eq!(plain.headers()[header::VARY], "accept-encoding");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        assert!(
            plain.headers()[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        let packed = send(&ASSET, &with(header::ACCEPT_ENCODING, "br"));
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "br");
        let known = send(&ASSET, &with(header::IF_NONE_MATCH, "W/\"abc\""));
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(known.headers()[header::ETAG], "W/\"abc\"");
    }
}

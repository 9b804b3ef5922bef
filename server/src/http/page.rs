//! Headers that keep a page to itself: what it may load, who may frame it, what it tells others (FAULTS 64).

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

const CROSS_ORIGIN_OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// Where a response says nothing else, it is data: nothing in it runs, and nobody frames it.
const DATA_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");

/// What the app's page may do. WebAssembly may be compiled; text is never evaluated; the scripts that stand in the
/// page itself carry the nonce. Styles by attribute are what the views set by hand; they cannot load anything.
pub(super) fn app_policy(nonce: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'nonce-{nonce}'; \
         style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; \
         media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
         object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("the nonce is base64")
}

/// What a script may do that runs as a worker: a worker has the policy of its own file, not of the page.
pub(super) const SCRIPT_POLICY: &str =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; frame-ancestors 'none'";

/// Adds to every response what it does not say itself.
pub(super) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    add(headers, header::CONTENT_SECURITY_POLICY, DATA_POLICY);
    add(
        headers,
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    add(headers, header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    add(
        headers,
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    add(
        headers,
        CROSS_ORIGIN_OPENER,
        HeaderValue::from_static("same-origin"),
    );
    add(
        headers,
        PERMISSIONS,
        HeaderValue::from_static("camera=(), geolocation=(), payment=(), usb=(), microphone=(self)"),
    );
    response
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if !headers.contains_key(&name) {
        headers.insert(name, value);
    }
}

//! The HTTP API: JSON there and back, with a time limit.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, RequestCredentials, RequestInit, Response};

/// How long an answer may take, ms: hashing a password takes a moment, a dead network takes for ever.
const LIMIT_MS: u32 = 15_000;

/// Why there is no answer that could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FetchTrouble {
    /// None came.
    Unreachable,
    /// The server refused.
    Refused {
        /// HTTP status.
        status: u16,
        /// Code of SPEC §10; empty where the answer was not the server's own.
        code: String,
        /// When to try again.
        retry_after_ms: Option<u64>,
    },
}

/// The body of a refusal (SPEC §4).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusalBody {
    #[serde(default)]
    code: String,
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

/// Sends a JSON body and reads the answer's.
pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(path: &str, body: &B) -> Result<T, FetchTrouble> {
    let text = send(path, &serde_json::to_string(body).unwrap_or_default()).await?;
    // An answer in the server's place: a proxy's page, or a portal's.
    serde_json::from_str(&text).map_err(|_| FetchTrouble::Unreachable)
}

/// Sends a request without a body, and wants no answer but success.
pub(crate) async fn post_empty(path: &str) -> Result<(), FetchTrouble> {
    send(path, "{}").await.map(drop)
}

async fn send(path: &str, body: &str) -> Result<String, FetchTrouble> {
    let options = RequestInit::new();
    options.set_method("POST");
    options.set_credentials(RequestCredentials::SameOrigin);
    options.set_signal(Some(&AbortSignal::timeout_with_u32(LIMIT_MS)));
    options.set_body(&JsValue::from_str(body));
    let headers = web_sys::Headers::new().map_err(unreachable)?;
    headers
        .set("content-type", "application/json")
        .map_err(unreachable)?;
    options.set_headers(&headers);
    let window = web_sys::window().ok_or(FetchTrouble::Unreachable)?;
    let answer = JsFuture::from(window.fetch_with_str_and_init(path, &options))
        .await
        .map_err(unreachable)?;
    let response: Response = answer.dyn_into().map_err(unreachable)?;
    let text = JsFuture::from(response.text().map_err(unreachable)?)
        .await
        .map_err(unreachable)?
        .as_string()
        .unwrap_or_default();
    if response.ok() {
        return Ok(text);
    }
    let body: Option<RefusalBody> = serde_json::from_str(&text).ok();
    let retry_after = response.headers().get("retry-after").ok().flatten();
    let seconds = retry_after.and_then(|seconds| seconds.parse::<u64>().ok());
    let told = body.as_ref().and_then(|body| body.retry_after_ms);
    Err(FetchTrouble::Refused {
        status: response.status(),
        code: body.map_or_else(String::new, |body| body.code),
        retry_after_ms: told.or(seconds.map(|seconds| seconds * 1_000)),
    })
}

/// The browser does not say why a request failed, and every reason reads the same to a person.
fn unreachable(_why: JsValue) -> FetchTrouble {
    FetchTrouble::Unreachable
}

//! `/api/v1/errors`: what crashed in people's browsers (SPEC §8). Anybody whose page may talk to us may report,
//! logged in or not: a login page can crash too. That is why reports are few for each address, small, and folded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use bmt_server_core::session::TokenBucket;
use bmt_shared::error::ErrorCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::clock;
use crate::http::Refusal;
use crate::http::address::network;
use crate::http::body::{self, Query};
use crate::http::control::Control;
use crate::http::paging;
use crate::http::visitor::Visitor;
use crate::records::{CrashPage, CrashReport};

/// Reports of one address: so many at once, and one more each second on average.
const BURST: u64 = 10;
const PER_SECOND: u64 = 1;
/// Addresses that are remembered; beyond that those that have been quiet are forgotten, and where none have, a new
/// address waits.
const ADDRESSES: usize = 10_000;
/// Crashes of a page where nothing is said.
const PAGE: usize = 50;
/// Most crashes of a page.
const PAGE_MAX: usize = 200;
/// Longest parts that are kept, in characters; the rest is cut off.
const ERROR_CHARACTERS: usize = 1_000;
const STACK_CHARACTERS: usize = 6_000;
const AGENT_CHARACTERS: usize = 300;

/// A report. A stack that is too long is cut, never refused: its beginning is what tells.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Report {
    /// The error's text.
    error: String,
    stack: Option<String>,
    component_stack: Option<String>,
    /// The browser's clock, ms since the Unix epoch; passed over, the server's own counts.
    #[expect(dead_code, reason = "named so that callers know it may be sent")]
    #[schema(value_type = Option<u64>)]
    timestamp: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// The next page: what the last one named as `nextCursor`.
    cursor: Option<String>,
    /// Most crashes, 1–200; 50 where nothing is said.
    limit: Option<usize>,
}

/// How often each address has reported lately. A lock, because a report is rare; it is never held over a wait.
#[derive(Default)]
pub(in crate::http) struct Reporters(Mutex<HashMap<IpAddr, (TokenBucket, u64)>>);

impl Reporters {
    /// # Errors
    /// How long to wait, ms.
    fn admit(&self, address: IpAddr, now_ms: u64) -> Result<(), u64> {
        /// After this an address has its whole burst again: nothing is left to remember.
        const FORGOTTEN_MS: u64 = BURST / PER_SECOND * 1_000;
        let mut all = self
            .0
            .lock()
            .expect("no code panics while it holds the reporters");
        if all.len() >= ADDRESSES && !all.contains_key(&address) {
            all.retain(|_, (_, at_ms)| now_ms.saturating_sub(*at_ms) < FORGOTTEN_MS);
            if all.len() >= ADDRESSES {
                return Err(FORGOTTEN_MS);
            }
        }
        let new = || (TokenBucket::new(PER_SECOND, BURST, now_ms), now_ms);
        let (bucket, at_ms) = all.entry(address).or_insert_with(new);
        *at_ms = now_ms;
        bucket.take(now_ms)
    }
}

pub(super) async fn report(
    State(control): State<Control>,
    visitor: Visitor,
    headers: HeaderMap,
    body::Json(report): body::Json<Report>,
) -> Result<StatusCode, Refusal> {
    let now_ms = clock::unix_ms();
    control
        .reporters
        .admit(network(visitor.address), now_ms)
        .map_err(|wait_ms| {
            Refusal::new(
                ErrorCode::RateLimited,
                "Too many reports from your address. This one is dropped.",
            )
            .retry_after(wait_ms)
        })?;
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let token = Some(text(header::AUTHORIZATION)).filter(|token| !token.is_empty());
    let identity = token.and_then(|token| control.node.authenticator.authenticate(Some(token), now_ms).ok());
    let crash = CrashReport {
        error: cut(&report.error, ERROR_CHARACTERS),
        stack: cut(&report.stack.unwrap_or_default(), STACK_CHARACTERS),
        component_stack: cut(&report.component_stack.unwrap_or_default(), STACK_CHARACTERS),
        user_id: identity.map_or_else(String::new, |identity| identity.user.user_id.as_str().to_owned()),
        agent: cut(text(header::USER_AGENT), AGENT_CHARACTERS),
        address: visitor.address.to_string(),
    };
    let kept = control.records.report_crash(crash, now_ms).await;
    kept.map_err(|error| Refusal::incident("a crash report could not be kept", &error))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<CrashPage>, Refusal> {
    let limit = paging::limit(wanted.limit, PAGE, PAGE_MAX)?;
    let behind = match &wanted.cursor {
        None => None,
        Some(cursor) => Some(place(cursor).ok_or_else(paging::unknown)?),
    };
    let page = control.records.crashes(behind, limit).await;
    page.map(Json)
        .map_err(|error| Refusal::incident("crash reports could not be read", &error))
}

/// When the last crash of a page was reported last, and its id.
fn place(cursor: &str) -> Option<(u64, u64)> {
    let (last_ms, id) = cursor.split_once('.')?;
    Some((last_ms.parse().ok()?, id.parse().ok()?))
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_measure_and_ten_thousand_are_the_most() {
        let reporters = Reporters::default();
        let address = |at: u32| IpAddr::from(at.to_be_bytes());
        for _ in 0..BURST {
            assert_eq!(reporters.admit(address(0), 0), Ok(()));
        }
        assert!(reporters.admit(address(0), 0).is_err());
        for at in 1..10_000 {
            assert_eq!(reporters.admit(address(at), 0), Ok(()));
        }
        assert!(reporters.admit(address(10_000), 0).is_err());
        assert_eq!(reporters.admit(address(10_000), 20_000), Ok(()));
        assert_eq!(reporters.admit(address(0), 20_000), Ok(()));
    }
}

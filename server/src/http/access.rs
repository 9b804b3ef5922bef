//! Who may use a guarded route: an administrator's token, or an API key with the route's scope (SPEC §8). This is
//! the one place that decides it, refuses, and writes down what came of it.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bmt_shared::error::{AuthReason, ErrorCode};
use bmt_shared::identity::Role;
use tracing::error;

use super::control::Control;
use super::request::RequestId;
use super::{Refusal, caller, pace};
use crate::clock;
use crate::records::{Actor, ApiKey, AuditEntry, KEY_PREFIX, Outcome, Scope};

/// The header that carries an API key; `Authorization: Bearer` does too, for programs that have only that.
pub(super) const API_KEY: &str = "x-api-key";

/// What a route asks of its caller, and what an attempt is called in the audit log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    pub(super) scope: Scope,
    pub(super) act: &'static str,
    /// Whether a success is written down. Messages are not: the channel's history is their record.
    pub(super) notes_success: bool,
}

/// Who was let in, for handlers.
#[derive(Clone, Debug)]
pub(super) enum Operator {
    /// An administrator, by the user id.
    Admin(String),
    /// An API key.
    Key(ApiKey),
}

impl Operator {
    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Admin(user) => Actor::User(user.clone()),
            Self::Key(key) => Actor::Key(key.id.clone()),
        }
    }

    /// As one text: a user's id, or `key:` and a key's.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Admin(user) => user.clone(),
            Self::Key(key) => format!("key:{}", key.id),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let operator = parts.extensions.get::<Self>().cloned();
        operator.ok_or_else(|| Refusal::incident("a route without a guard asked for its caller", &"no guard"))
    }
}

/// What a handler adds to the row that its attempt leaves.
#[derive(Clone, Debug, Default)]
pub(super) struct Audited {
    /// Who, where only the handler knows: a login.
    pub(super) actor: Option<Actor>,
    /// To whom or what, where it does not stand in the path.
    pub(super) target: Option<String>,
}

impl Audited {
    pub(super) fn target(target: impl Into<String>) -> Self {
        Self {
            actor: None,
            target: Some(target.into()),
        }
    }

    /// Puts it where the guard finds it.
    pub(super) fn on(self, response: impl IntoResponse) -> Response {
        let mut response = response.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A layer around each guarded route.
pub(super) async fn guard(
    State((control, guard)): State<(Control, Guard)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let attempt = Attempt::of(&control, &mut parts, guard.act).await;
    let (budgets, now_ms) = (&control.node.budgets, clock::unix_ms());
    if let Err(wait_ms) = attempt
        .address
        .map_or(Ok(()), |address| budgets.may_guess(address, now_ms))
    {
        return pace::too_often("your address were refused", wait_ms).into_response();
    }
    let (actor, response) = match admit(&control, &parts.headers, guard.scope).await {
        Ok(operator) => {
            if let Err(wait_ms) = budgets.spend_call(&operator.name(), now_ms) {
                return pace::too_often("this API key or account", wait_ms).into_response();
            }
            let actor = operator.actor();
            parts.extensions.insert(operator);
            (actor, next.run(Request::from_parts(parts, body)).await)
        }
        Err((actor, refusal)) => {
            if let Some(address) = attempt.address {
                budgets.spend_guess(address, now_ms);
            }
            (actor, refusal.into_response())
        }
    };
    if guard.notes_success || !response.status().is_success() {
        note(&control, attempt.entry(actor, &response)).await;
    }
    response
}

/// A layer around the routes of logins, which let everybody try. What is only asked there is no act.
pub(super) async fn watch(State(control): State<Control>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || request.method() == axum::http::Method::OPTIONS {
        return next.run(request).await;
    }
    // What follows may be an id, which names the target and not the act.
    let path = request.uri().path();
    let behind = path.split_once("/auth/").map_or("", |(_, behind)| behind);
    let act = format!("auth.{}", behind.split('/').next().unwrap_or_default());
    watched(&control, &act, request, next).await
}

/// A layer around routes on which users act for themselves.
pub(super) async fn watch_act(
    State((control, act)): State<(Control, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    watched(&control, act, request, next).await
}

async fn watched(control: &Control, act: &str, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let actor = bearer_of(control, &parts.headers);
    let attempt = Attempt::of(control, &mut parts, act).await;
    let response = next.run(Request::from_parts(parts, body)).await;
    note(control, attempt.entry(actor, &response)).await;
    response
}

/// What is known of an attempt before it is made.
struct Attempt {
    act: String,
    target: String,
    address: Option<std::net::IpAddr>,
    request: String,
}

impl Attempt {
    async fn of(control: &Control, parts: &mut Parts, act: &str) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|peer| control.node.client_address(peer.0.ip(), &parts.headers));
        let id = parts.extensions.get::<RequestId>();
        let id = id.map_or_else(String::new, |RequestId(id)| id.clone());
        let target = match RawPathParams::from_request_parts(parts, &()).await {
            Ok(params) => params
                .iter()
                .map(|(_, value)| value)
                .collect::<Vec<_>>()
                .join(" "),
            // A path that is not UTF-8: the handler refuses it.
            Err(_) => String::new(),
        };
        Self {
            act: act.to_owned(),
            target,
            address,
            request: id,
        }
    }

    fn entry(self, actor: Actor, response: &Response) -> AuditEntry {
        let told = response
            .extensions()
            .get::<Audited>()
            .cloned()
            .unwrap_or_default();
        let status = response.status().as_u16();
        AuditEntry {
            at_ms: clock::unix_ms(),
            actor: told.actor.unwrap_or(actor),
            act: self.act,
            target: told.target.unwrap_or(self.target),
            outcome: Outcome::of_status(status),
            status,
            address: self.address,
            request: self.request,
            times: 1,
        }
    }
}

async fn note(control: &Control, entry: AuditEntry) {
    if let Err(error) = control.records.note(entry.clone()).await {
        error!(%error, ?entry, "the audit log could not be written");
    }
}

/// Decides. A refusal comes with who was refused, as far as that is proven.
async fn admit(control: &Control, headers: &HeaderMap, scope: Scope) -> Result<Operator, (Actor, Refusal)> {
    let unknown = |refusal: Refusal| (Actor::Unknown, refusal);
    let credential = Credential::of(headers).map_err(|reason| unknown(reason.into()))?;
    let now_ms = clock::unix_ms();
    match credential {
        Credential::Key(text) => {
            let found = control.records.key_of(text, now_ms).await.map_err(|error| {
                unknown(Refusal::incident("an API key could not be checked", &error).unavailable())
            })?;
            let key = found.ok_or_else(|| {
                let message =
                    "This API key is unknown, has ended or was revoked. An administrator can make a new one.";
                unknown(Refusal::new(ErrorCode::AuthenticationFailed, message))
            })?;
            if key.allows(scope) {
                return Ok(Operator::Key(key));
            }
            let message = format!(
                "This API key has not the scope `{}`, which this needs. Make a key that has.",
                scope.as_str()
            );
            Err((
                Actor::Key(key.id),
                Refusal::new(ErrorCode::PermissionDenied, message),
            ))
        }
        Credential::Token(token) => {
            let identity = caller::admit(&control.node, token, now_ms).await;
            let user = identity.map_err(unknown)?.user;
            let id = user.user_id.as_str().to_owned();
            if user.role == Role::Admin {
                return Ok(Operator::Admin(id));
            }
            let message = "Only administrators may do this. Ask one, or use an API key.";
            Err((
                Actor::User(id),
                Refusal::new(ErrorCode::PermissionDenied, message),
            ))
        }
    }
}

/// The user of a token that holds.
fn bearer_of(control: &Control, headers: &HeaderMap) -> Actor {
    let Ok(Credential::Token(token)) = Credential::of(headers) else {
        return Actor::Unknown;
    };
    let identity = control
        .node
        .authenticator
        .authenticate(Some(token), clock::unix_ms());
    identity.map_or(Actor::Unknown, |identity| {
        Actor::User(identity.user.user_id.as_str().to_owned())
    })
}

enum Credential<'a> {
    Key(&'a str),
    Token(&'a str),
}

impl<'a> Credential<'a> {
    /// The one credential of a request: two would be two callers.
    fn of(headers: &'a HeaderMap) -> Result<Self, AuthReason> {
        let keys = headers.get_all(API_KEY).iter();
        let tokens = headers.get_all(header::AUTHORIZATION).iter();
        let mut all = keys
            .map(|key| (true, key))
            .chain(tokens.map(|token| (false, token)));
        let (is_key, text) = all.next().ok_or(AuthReason::Missing)?;
        if all.next().is_some() {
            return Err(AuthReason::Malformed);
        }
        let text = text.to_str().map_err(|_| AuthReason::Malformed)?.trim();
        let bare = text.split_once(' ').map_or(text, |(_, rest)| rest.trim());
        if is_key {
            Ok(Self::Key(text))
        } else if bare.starts_with(KEY_PREFIX) {
            Ok(Self::Key(bare))
        } else if bare.is_empty() || text.eq_ignore_ascii_case("bearer") {
            // Nothing after the scheme: where guests may connect it would be one, and a guest is nobody here.
            Err(AuthReason::Missing)
        } else {
            Ok(Self::Token(text))
        }
    }
}

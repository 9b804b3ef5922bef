//! What each route does, in one line. A test holds this list to the routes that there are.

use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

use super::{Body, Query};
use crate::figures::Stats;
use crate::http::api::{
    audit, channels, connections, errors, explain, files, history, keys, notify, stats, user_data, users,
};
use crate::records::{AuditPage, CrashPage, NewKey};

/// One method on one address.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) asks: Option<Query>,
    pub(super) takes: Option<Body>,
    pub(super) gives: Option<Body>,
    /// Whether a user's token is needed, where the table of guarded routes says nothing.
    pub(super) token: bool,
}

const fn on(method: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation {
        method,
        path,
        summary,
        asks: None,
        takes: None,
        gives: None,
        token: false,
    }
}

impl Operation {
    const fn asks(self, asks: Query) -> Self {
        Self {
            asks: Some(asks),
            ..self
        }
    }

    const fn takes(self, takes: Body) -> Self {
        Self {
            takes: Some(takes),
            ..self
        }
    }

    const fn gives(self, gives: Body) -> Self {
        Self {
            gives: Some(gives),
            ..self
        }
    }

    const fn of_a_user(self) -> Self {
        Self { token: true, ..self }
    }
}

fn query<T: IntoParams>() -> Vec<utoipa::openapi::path::Parameter> {
    T::into_params(|| Some(ParameterIn::Query))
}

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    on("POST", "/publish", "Publish {topic, payload, messageId?, priority?, ttl?}, or {messages: […]}, at most 200"),
    on("POST", "/broadcast", "Publish one payload to many channels: {topics: […], payload, messageId?, priority?, ttl?}"),
    on("POST", "/notify", "Notify users, a channel, or everybody").takes(Body::of::<notify::Notification>()),
    on("GET", "/channels", "Channels in use").asks(query::<channels::Wanted>).gives(Body::of::<channels::Channels>()),
    on("GET", "/channels/{topic}/history", "A page of a channel's messages").asks(query::<history::Wanted>),
    on("GET", "/channels/{topic}/presence", "Who is present on a channel"),
    on("POST", "/channels", "Make a channel with members").of_a_user(),
    on("GET", "/channels/mine", "The channels that one is a member of").of_a_user(),
    on("DELETE", "/channels/{topic}", "End a channel's member list").of_a_user(),
    on("GET", "/channels/{topic}/members", "The members of a channel").of_a_user(),
    on("GET", "/channels/{topic}/members/{user}", "One member of a channel").of_a_user(),
    on("PUT", "/channels/{topic}/members/{user}", "Make somebody a member, or change what a member may do").of_a_user(),
    on("DELETE", "/channels/{topic}/members/{user}", "Take a member out").of_a_user(),
    on("POST", "/files/upload", "Upload a file: multipart/form-data with the field `file`").gives(Body::of::<files::Uploaded>()).of_a_user(),
    on("GET", "/files", "The own files").asks(query::<files::Wanted>).gives(Body::of::<files::Own>()).of_a_user(),
    on("GET", "/files/{id}", "One of the own files").gives(Body::of::<files::Uploaded>()).of_a_user(),
    on("DELETE", "/files/{id}", "Delete a file").of_a_user(),
    on("GET", "/files/{id}/{name}", "The bytes of a file, by its signed address"),
    on("GET", "/files/{id}/{name}/thumbnail", "A small picture of an image, by its signed address"),
    on("GET", "/permissions/explain", "Whether a user may do something on a channel, and by which rule").asks(query::<explain::Asked>),
    on("GET", "/connections", "Who is connected to this node").asks(query::<connections::Wanted>).gives(Body::of::<connections::Connections>()),
    on("DELETE", "/connections/{id}", "End a connection").gives(Body::of::<connections::Disconnected>()),
    on("GET", "/stats", "How the server is doing").asks(query::<stats::Wanted>).gives(Body::of::<Stats>()),
    on("GET", "/users", "Users").asks(query::<users::Wanted>).gives(Body::of::<users::Users>()),
    on("POST", "/users", "Make an account").takes(Body::of::<users::NewUser>()).gives(Body::of::<users::Listed>()),
    on("GET", "/users/{id}", "One user").gives(Body::of::<users::Listed>()),
    on("PATCH", "/users/{id}", "Change a user's role, block or password").takes(Body::of::<users::Change>()).gives(Body::of::<users::Listed>()),
    on("DELETE", "/users/{id}", "Remove an account"),
    on("GET", "/users/{id}/data", "Everything that is kept about a user, as lines of JSON"),
    on("DELETE", "/users/{id}/data", "Erase a user: account, member lists, files, read positions, messages").gives(Body::of::<user_data::Erased>()),
    on("POST", "/users/{id}/block", "Keep a user out: logins and connections end").gives(Body::of::<users::Listed>()),
    on("POST", "/users/{id}/unblock", "Let a user in again").gives(Body::of::<users::Listed>()),
    on("POST", "/users/{id}/disconnect", "End all connections of a user").gives(Body::of::<connections::Disconnected>()),
    on("POST", "/users/{id}/password-reset", "Make a single-use link to a new password"),
    on("GET", "/keys", "API keys, without their secrets").gives(Body::of::<keys::Keys>()),
    on("POST", "/keys", "Make an API key; its text is shown this once").takes(Body::of::<NewKey>()).gives(Body::of::<keys::Made>()),
    on("DELETE", "/keys/{id}", "Revoke an API key"),
    on("GET", "/audit", "What was done and what was refused").asks(query::<audit::Wanted>).gives(Body::of::<AuditPage>()),
    on("GET", "/errors", "What crashed in people's browsers").asks(query::<errors::Wanted>).gives(Body::of::<CrashPage>()),
    on("POST", "/errors", "Report a crash of the web app").takes(Body::of::<errors::Report>()),
    on("POST", "/auth/login", "Log in with {username, password}"),
    on("POST", "/auth/refresh", "A new access token for the refresh cookie"),
    on("POST", "/auth/logout", "End this login"),
    on("GET", "/auth/me", "Who the token speaks for").of_a_user(),
    on("POST", "/auth/guest", "Come in as a guest, where guests may"),
    on("POST", "/auth/register", "Make an own account, where registration is open"),
    on("POST", "/auth/password", "Change the own password: {old, new}").of_a_user(),
    on("POST", "/auth/password/reset", "Set a password by a single-use link"),
    on("GET", "/auth/sessions", "The own logins").of_a_user(),
    on("DELETE", "/auth/sessions/{id}", "End one of the own logins").of_a_user(),
    on("POST", "/auth/logout-all", "End all own logins").of_a_user(),
    on("POST", "/ws-ticket", "A single-use ticket for the raw WebSocket").of_a_user(),
    on("GET", "/openapi.json", "This document"),
    on("GET", "/docs", "A page that shows it"),
    on("GET", "/docs.js", "The page's script"),
    on("GET", "/docs.css", "The page's style"),
];

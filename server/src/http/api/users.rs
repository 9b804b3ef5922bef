//! `/api/v1/users`: accounts, and what administrators do with users wherever they come from (SPEC §8).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bmt_shared::error::ErrorCode;
use bmt_shared::id::UserId;
use bmt_shared::identity::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::accounts::{Account, NewAccount};
use crate::config::Secret;
use crate::http::Refusal;
use crate::http::access::{Audited, Operator};
use crate::http::body::{self, Query};
use crate::http::control::Control;
use crate::http::paging::{self, PAGE, PAGE_MAX};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// Only where the id, the username or the name has this in it; upper and lower case are the same.
    search: Option<String>,
    /// The next page: what the last one named as `nextCursor`.
    cursor: Option<String>,
    /// Most users, 1–1000; 100 where nothing is said.
    limit: Option<usize>,
}

/// A built-in account, or a user from elsewhere of whom something is kept here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserListed)]
pub(in crate::http) struct Listed {
    user_id: String,
    /// What is typed at login; none for a user from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    name: String,
    /// `admin`, `user` or `guest`.
    role: &'static str,
    permissions: Vec<String>,
    blocked: bool,
    /// When it was made, ms since the Unix epoch.
    created_at: u64,
}

/// Users, the oldest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Users {
    users: Vec<Listed>,
    /// All there are.
    total: usize,
    /// Names the next page, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// An account to make.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct NewUser {
    username: String,
    /// Without one nobody can log in until one is set.
    password: Option<String>,
    /// What is shown; the username where nothing is said.
    name: Option<String>,
    /// `user` where nothing is said.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
}

/// What is to be another way; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UserChange)]
pub(in crate::http) struct Change {
    /// Outranks the token's, on live connections too.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    blocked: Option<bool>,
    /// A new password; it ends the user's logins.
    password: Option<String>,
}

impl From<Account> for Listed {
    fn from(account: Account) -> Self {
        Self {
            user_id: account.user.user_id.as_str().to_owned(),
            username: account.username,
            name: account.user.name,
            role: account.user.role.as_str(),
            permissions: account.user.permissions,
            blocked: account.blocked,
            created_at: account.created_ms,
        }
    }
}

pub(super) async fn list(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Users>, Refusal> {
    let limit = paging::limit(wanted.limit, PAGE, PAGE_MAX)?;
    let search = wanted.search.unwrap_or_default().to_lowercase();
    let all = control.node.accounts.list().await;
    let mut all = all.map_err(|error| Refusal::incident("the users could not be read", &error))?;
    all.sort_by(|one, other| Cursor::of(one).cmp(&Cursor::of(other)));
    let total = all.len();
    // A user who was removed meanwhile is no place to go on from, but the time of its making is.
    let behind = wanted.cursor.as_deref().map(Cursor::parse).transpose()?;
    let mut users: Vec<_> = all
        .into_iter()
        .filter(|account| behind.as_ref().is_none_or(|cursor| *cursor < Cursor::of(account)))
        .map(Listed::from)
        .filter(|user| user.has(&search))
        .take(limit + 1)
        .collect();
    let next_cursor = paging::cut(&mut users, limit, |last| {
        format!("{}.{}", last.created_at, last.user_id)
    });
    Ok(Json(Users {
        users,
        total,
        next_cursor,
    }))
}

/// The last user of a page.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cursor<'a> {
    created_ms: u64,
    user_id: &'a str,
}

impl<'a> Cursor<'a> {
    fn parse(text: &'a str) -> Result<Self, Refusal> {
        let (created, user_id) = text.split_once('.').ok_or_else(paging::unknown)?;
        let created_ms = created.parse().map_err(|_| paging::unknown())?;
        Ok(Self { created_ms, user_id })
    }

    fn of(account: &'a Account) -> Self {
        Self {
            created_ms: account.created_ms,
            user_id: account.user.user_id.as_str(),
        }
    }
}

impl Listed {
    /// Whether `text`, in lower case, is somewhere in it.
    fn has(&self, text: &str) -> bool {
        let fields = [Some(&self.user_id), self.username.as_ref(), Some(&self.name)];
        let mut fields = fields.into_iter().flatten();
        text.is_empty() || fields.any(|field| field.to_lowercase().contains(text))
    }
}

pub(super) async fn create(
    State(control): State<Control>,
    body::Json(new): body::Json<NewUser>,
) -> Result<Response, Refusal> {
    let made = control.node.accounts.create(NewAccount {
        username: new.username,
        name: new.name.unwrap_or_default(),
        role: new.role.unwrap_or_default(),
        password: new.password.map(Secret::new),
    });
    let made = Listed::from(made.await?);
    let audited = Audited::target(made.user_id.clone());
    Ok(audited.on((StatusCode::CREATED, Json(made))))
}

pub(super) async fn get(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Listed>, Refusal> {
    Ok(Json(control.node.accounts.get(&UserId::new(&id)).await?.into()))
}

pub(super) async fn change(
    State(control): State<Control>,
    Path(id): Path<String>,
    operator: Operator,
    body::Json(change): body::Json<Change>,
) -> Result<Json<Listed>, Refusal> {
    if change.role.is_some_and(|role| role != Role::Admin) || change.blocked == Some(true) {
        not_oneself(&operator, &id)?;
    }
    let (accounts, user) = (&control.node.accounts, UserId::new(&id));
    if let Some(password) = &change.password {
        accounts.set_password(&user, &Secret::new(password)).await?;
    }
    if let Some(role) = change.role {
        accounts.set_role(&user, role).await?;
    }
    match change.blocked {
        Some(true) => accounts.block(&user).await?,
        Some(false) => accounts.unblock(&user).await?,
        None => accounts.get(&user).await?,
    };
    get(State(control.clone()), Path(id)).await
}

pub(super) async fn remove(
    State(control): State<Control>,
    Path(id): Path<String>,
    operator: Operator,
) -> Result<StatusCode, Refusal> {
    not_oneself(&operator, &id)?;
    let user = UserId::new(&id);
    let accounts = &control.node.accounts;
    accounts.get(&user).await?;
    // Before the account: should this fail, the request can be made again.
    control.node.members.forget(&user).await?;
    accounts.remove(&user).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn block(
    State(control): State<Control>,
    Path(id): Path<String>,
    operator: Operator,
) -> Result<Json<Listed>, Refusal> {
    not_oneself(&operator, &id)?;
    let account = control.node.accounts.block(&UserId::new(&id)).await;
    Ok(Json(account?.into()))
}

pub(super) async fn unblock(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Listed>, Refusal> {
    let account = control.node.accounts.unblock(&UserId::new(&id)).await;
    Ok(Json(account?.into()))
}

/// An administrator who locks the own account out may be the last one.
pub(super) fn not_oneself(operator: &Operator, id: &str) -> Result<(), Refusal> {
    if matches!(operator, Operator::Admin(own) if own == id) {
        let message = "You would lock yourself out. Ask another administrator to do this.";
        return Err(Refusal::new(ErrorCode::InvalidOperation, message));
    }
    Ok(())
}

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

use crate::accounts::{Account, AccountError, NewAccount};
use crate::config::Secret;
use crate::http::Refusal;
use crate::http::access::{Audited, Operator};
use crate::http::body::{self, Query};
use crate::http::control::Control;

/// Users of a page where nothing is said.
const PAGE: usize = 100;
/// Most users of a page.
const PAGE_MAX: usize = 1_000;
/// When to come again where too many passwords are hashed, ms.
const BUSY_RETRY_MS: u64 = 2_000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// Only users behind the one of this id: the next page.
    after: Option<String>,
    /// Most users, 1–1000; 100 where nothing is said.
    limit: Option<usize>,
}

/// A built-in account, or a user from elsewhere of whom something is kept here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
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
    /// Whether more follow: ask with `after` = the last id.
    has_more: bool,
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
    let limit = body::limit(wanted.limit, PAGE, PAGE_MAX)?;
    let all = control.node.accounts.list().await;
    let all = all.map_err(|error| Refusal::incident("the users could not be read", &error))?;
    let total = all.len();
    let begin = match &wanted.after {
        None => 0,
        Some(after) => all
            .iter()
            .position(|account| account.user.user_id.as_str() == after)
            .map(|at| at + 1)
            .ok_or_else(|| {
                Refusal::new(
                    ErrorCode::InvalidMessage,
                    "`after` is no user of the list. Begin again without it.",
                )
            })?,
    };
    Ok(Json(Users {
        users: all
            .into_iter()
            .skip(begin)
            .take(limit)
            .map(Listed::from)
            .collect(),
        total,
        has_more: total > begin + limit,
    }))
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
    let made = Listed::from(made.await.map_err(refusal)?);
    let audited = Audited::target(made.user_id.clone());
    Ok(audited.on((StatusCode::CREATED, Json(made))))
}

pub(super) async fn get(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Listed>, Refusal> {
    let account = control.node.accounts.get(&UserId::new(&id)).await;
    account.map(|account| Json(account.into())).map_err(refusal)
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
        accounts
            .set_password(&user, &Secret::new(password))
            .await
            .map_err(refusal)?;
    }
    if let Some(role) = change.role {
        accounts.set_role(&user, role).await.map_err(refusal)?;
    }
    match change.blocked {
        Some(true) => accounts.block(&user).await.map_err(refusal)?,
        Some(false) => accounts.unblock(&user).await.map_err(refusal)?,
        None => accounts.get(&user).await.map_err(refusal)?,
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
    accounts.get(&user).await.map_err(refusal)?;
    // Before the account: should this fail, the request can be made again.
    control.node.members.forget(&user).await?;
    accounts.remove(&user).await.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn block(
    State(control): State<Control>,
    Path(id): Path<String>,
    operator: Operator,
) -> Result<Json<Listed>, Refusal> {
    not_oneself(&operator, &id)?;
    let account = control.node.accounts.block(&UserId::new(&id)).await;
    account.map(|account| Json(account.into())).map_err(refusal)
}

pub(super) async fn unblock(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Listed>, Refusal> {
    let account = control.node.accounts.unblock(&UserId::new(&id)).await;
    account.map(|account| Json(account.into())).map_err(refusal)
}

/// An administrator who locks the own account out may be the last one.
pub(super) fn not_oneself(operator: &Operator, id: &str) -> Result<(), Refusal> {
    if matches!(operator, Operator::Admin(own) if own == id) {
        let message = "You would lock yourself out. Ask another administrator to do this.";
        return Err(Refusal::new(ErrorCode::InvalidOperation, message));
    }
    Ok(())
}

fn refusal(error: AccountError) -> Refusal {
    match error {
        AccountError::Unknown => Refusal::not_found(error.to_string()),
        AccountError::Taken => Refusal::new(ErrorCode::InvalidOperation, error.to_string()),
        AccountError::Unfit(why) => Refusal::new(ErrorCode::InvalidMessage, why),
        AccountError::Busy => {
            Refusal::new(ErrorCode::RateLimited, error.to_string()).retry_after(BUSY_RETRY_MS)
        }
        AccountError::Store(error) => Refusal::incident("the account store failed", &error),
    }
}

//! `GET /api/v1/permissions/explain?user=&channel=&action=`: whether a user may, and by which rule (SPEC §3). The
//! answer is that of the function by which requests are admitted.

use axum::Json;
use axum::extract::State;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::ErrorCode;
use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};
use bmt_shared::permission::{Action, Membership, decide, listed_as};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::Refusal;
use crate::http::body::Query;
use crate::http::control::Control;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Asked {
    /// The user's id.
    user: String,
    /// The channel.
    channel: String,
    /// What the user wants: `subscribe`, `history`, `presence`, `read`, `publish` or `signal`.
    action: String,
    /// The role of a user whom this server does not know: `admin`, `user` or `guest`.
    role: Option<String>,
    /// The permissions of such a user, with commas between.
    permissions: Option<String>,
}

/// Which rule decided.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct RuleTold {
    /// For programs.
    code: &'static str,
    /// For people.
    text: String,
}

/// As whom the user was judged.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Judged {
    user_id: String,
    role: &'static str,
    permissions: Vec<String>,
    /// From where role and permissions are: a live `connection`, the `account`, the `query`, or `assumed`: a token
    /// of another issuer may say more.
    source: &'static str,
    /// Whether the user is kept out of the server, so that it may nothing at all.
    blocked: bool,
}

/// Whether, and why.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Explained {
    allowed: bool,
    /// With which code a request is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    rule: RuleTold,
    /// What the member list says: `unlisted`, `outside`, `reader`, `writer`, `owner`.
    membership: &'static str,
    user: Judged,
}

pub(super) async fn get(
    State(control): State<Control>,
    Query(asked): Query<Asked>,
) -> Result<Json<Explained>, Refusal> {
    let channel = ChannelName::parse(&asked.channel)
        .map_err(|error| wrong(&format!("`channel` {:?}: {error}.", asked.channel)))?;
    let action = match asked.action.as_str() {
        "subscribe" | "history" | "presence" | "read" => Action::Subscribe,
        "publish" | "signal" => Action::Publish,
        _ => {
            let verbs = "`action` is one of subscribe, history, presence, read, publish, signal.";
            return Err(wrong(verbs));
        }
    };
    let (user, source, blocked) = find(&control, &asked).await?;
    let current = control.node.current();
    let namespaces = &current.config.namespaces;
    let membership = listed_as(namespaces, &channel).map_or(Membership::Unlisted, |key| {
        control.node.members.memberships().of(key, &user.user_id)
    });
    let rule = decide(namespaces, &user, &channel, action, membership);
    let (rule, verdict) = if blocked {
        let text = "the user is blocked, and may not connect at all".to_owned();
        (
            RuleTold {
                code: "blocked",
                text,
            },
            Err(ErrorCode::AuthenticationFailed),
        )
    } else {
        let told = RuleTold {
            code: rule.code(),
            text: rule.to_string(),
        };
        (told, rule.verdict())
    };
    Ok(Json(Explained {
        allowed: verdict.is_ok(),
        code: verdict.err().map(|code| code.to_string()),
        rule,
        membership: name(membership),
        user: Judged {
            user_id: user.user_id.as_str().to_owned(),
            role: user.role.as_str(),
            permissions: user.permissions.clone(),
            source,
            blocked,
        },
    }))
}

/// Whom the question is about: as connected now, as the account says, or as the question does.
async fn find(control: &Control, asked: &Asked) -> Result<(User, &'static str, bool), Refusal> {
    let id = UserId::new(&asked.user);
    let account = control.node.accounts.get(&id).await.ok();
    let blocked = account.as_ref().is_some_and(|account| account.blocked);
    if asked.role.is_some() || asked.permissions.is_some() {
        let role = asked.role.as_deref().map_or(Some(Role::User), Role::parse);
        let permissions = asked.permissions.iter().flat_map(|all| all.split(','));
        let user = User {
            role: role.ok_or_else(|| wrong("`role` is one of admin, user, guest."))?,
            permissions: permissions.map(|one| one.trim().to_owned()).collect(),
            ..nobody(id)
        };
        return Ok((user, "query", blocked));
    }
    let connected = control.live.of_user(&id);
    if let Some(about) = connected.iter().find_map(|connection| connection.about()) {
        return Ok((User::clone(&about.user), "connection", blocked));
    }
    Ok(match account {
        Some(account) => (account.user, "account", blocked),
        None => (nobody(id), "assumed", false),
    })
}

fn nobody(user_id: UserId) -> User {
    User {
        name: user_id.as_str().to_owned(),
        user_id,
        role: Role::User,
        permissions: Vec::new(),
    }
}

fn name(membership: Membership) -> &'static str {
    match membership {
        Membership::Unlisted => "unlisted",
        Membership::Outside => "outside",
        Membership::Reader => "reader",
        Membership::Writer => "writer",
        Membership::Owner => "owner",
    }
}

fn wrong(what: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidMessage, what)
}

//! `/api/v1/channels`: making a private channel or a document, and who may enter it (SPEC §3). For users: each
//! owner changes the lists of its own.

mod create;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Json, Router};
use bmt_shared::channel::ChannelName;
use bmt_shared::direct::is_direct;
use bmt_shared::error::ErrorCode;
use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};
use bmt_shared::permission::listed_as;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::GUEST_PREFIX;
use crate::clock;
use crate::http::control::Control;
use crate::http::{Caller, Refusal, access, body};
use crate::members::{Actor, List, Member, MemberRole, MembersError};
use crate::node::Node;

pub(in crate::http) use create::New;

/// A list of as many members as one may have, with ids of a usual length.
const LIST_BYTES: usize = 128 * 1_024;
/// Longer ids are those of nobody: a token's subject is no longer.
const USER_ID_BYTES: usize = 255;

/// The routes. What is tried to change here is written down, whoever tries.
pub(super) fn router(control: &Control) -> Router<Control> {
    let watched = |act: &'static str, route: MethodRouter<Control>| {
        route.layer(from_fn_with_state((control.clone(), act), access::watch_act))
    };
    let member = "/channels/{topic}/members/{user}";
    Router::new()
        .route("/channels", watched("channel.create", post(create::post)))
        .layer(DefaultBodyLimit::max(LIST_BYTES))
        .route("/channels/mine", get(mine))
        .route("/channels/{topic}", watched("channel.delete", delete(end)))
        .route("/channels/{topic}/members", get(list))
        .route(member, get(one))
        .route(member, watched("member.put", put(set)))
        .route(member, watched("member.remove", delete(remove)))
}

/// The user who asks. A guest has no lists: its id is gone with its browser.
pub(super) struct Person(User);

impl Person {
    fn actor(&self) -> Actor {
        Actor {
            user_id: self.0.user_id.clone(),
            is_admin: self.0.role == Role::Admin,
        }
    }
}

impl FromRequestParts<Control> for Person {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, control: &Control) -> Result<Self, Refusal> {
        let node: &Arc<Node> = &control.node;
        let Caller(identity) = Caller::from_request_parts(parts, node).await?;
        if identity.user.role == Role::Guest {
            let message = "Guests have no channels of their own. Log in, or register an account.";
            return Err(Refusal::new(ErrorCode::PermissionDenied, message));
        }
        Ok(Self(identity.user))
    }
}

/// One entry of a member list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Member)]
pub(in crate::http) struct Entry {
    user_id: String,
    /// `owner`, `writer` or `reader`.
    role: &'static str,
    /// Since when, ms since the Unix epoch.
    since: u64,
}

impl Entry {
    fn of(user: &UserId, member: Member) -> Self {
        Self {
            user_id: user.as_str().to_owned(),
            role: member.role.as_str(),
            since: member.since_ms,
        }
    }
}

/// A channel or a document with its members.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MemberList)]
pub(in crate::http) struct Listed {
    /// The channel's name; for documents `document:<id>`, which stands for all channels of the document.
    topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// When it was made, ms since the Unix epoch.
    created_at: u64,
    /// In the order of the users' ids.
    members: Vec<Entry>,
}

impl Listed {
    fn of(key: &str, list: &List) -> Self {
        Self {
            topic: key.to_owned(),
            title: list.title.clone(),
            created_at: list.created_ms,
            members: list
                .members
                .iter()
                .map(|(user, member)| Entry::of(user, *member))
                .collect(),
        }
    }
}

/// One of the caller's channels.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OwnChannel)]
pub(in crate::http) struct Own {
    topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// When it was made, ms since the Unix epoch.
    created_at: u64,
    /// The caller's role in it.
    role: &'static str,
    /// How many members it has.
    members: usize,
}

/// The channels and documents in whose lists the caller stands, in the order of their names.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnChannels)]
pub(in crate::http) struct Mine {
    channels: Vec<Own>,
}

/// What a member shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedMember)]
pub(in crate::http) struct Wanted {
    /// `owner`, `writer` or `reader`.
    #[schema(value_type = String)]
    role: MemberRole,
}

async fn mine(State(control): State<Control>, person: Person) -> Json<Mine> {
    let user = &person.0.user_id;
    let own = |(key, list): (Arc<str>, List)| {
        let role = list.role(user)?.as_str();
        Some(Own {
            topic: key.to_string(),
            title: list.title,
            created_at: list.created_ms,
            role,
            members: list.members.len(),
        })
    };
    let channels = control
        .node
        .members
        .of_user(user)
        .into_iter()
        .filter_map(own)
        .collect();
    Json(Mine { channels })
}

async fn list(
    State(control): State<Control>,
    person: Person,
    Path(topic): Path<String>,
) -> Result<Json<Listed>, Refusal> {
    let key = key_of(&control, &topic)?;
    let list = control.node.members.get(&key, &person.actor())?;
    Ok(Json(Listed::of(&key, &list)))
}

async fn one(
    State(control): State<Control>,
    person: Person,
    Path((topic, user)): Path<(String, String)>,
) -> Result<Json<Entry>, Refusal> {
    let (key, user) = (key_of(&control, &topic)?, user_id(&user)?);
    let list = control.node.members.get(&key, &person.actor())?;
    match list.members.get(&user) {
        Some(member) => Ok(Json(Entry::of(&user, *member))),
        None => Err(Refusal::not_found("This user does not stand in the member list.")),
    }
}

async fn set(
    State(control): State<Control>,
    person: Person,
    Path((topic, user)): Path<(String, String)>,
    body::Json(Wanted { role }): body::Json<Wanted>,
) -> Result<Json<Entry>, Refusal> {
    let (key, user) = (key_of(&control, &topic)?, user_id(&user)?);
    let members = &control.node.members;
    let member = members
        .put(&key, &user, role, &person.actor(), clock::unix_ms())
        .await?;
    Ok(Json(Entry::of(&user, member)))
}

async fn remove(
    State(control): State<Control>,
    person: Person,
    Path((topic, user)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let (key, user) = (key_of(&control, &topic)?, user_id(&user)?);
    control.node.members.remove(&key, &user, &person.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end(
    State(control): State<Control>,
    person: Person,
    Path(topic): Path<String>,
) -> Result<StatusCode, Refusal> {
    let key = key_of(&control, &topic)?;
    control.node.members.delete(&key, &person.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the list of a channel that an address or a body names is kept under.
fn key_of(control: &Control, name: &str) -> Result<String, Refusal> {
    let topic = parse(name)?;
    let current = control.node.current();
    let namespaces = &current.config.namespaces;
    if namespaces.of(&topic).is_none() {
        let message = format!("There is no namespace {:?} on this server.", topic.namespace());
        return Err(Refusal::new(ErrorCode::ChannelNotFound, message));
    }
    // Some direct conversations need no list, and have one for those who look for theirs.
    let key = listed_as(namespaces, &topic).or_else(|| is_direct(&topic).then(|| topic.as_str()));
    key.map(str::to_owned).ok_or_else(|| {
        let message = format!(
            "Channels of the namespace `{}` have no member lists: its configuration says who may enter. Private \
             channels and documents have.",
            topic.namespace()
        );
        Refusal::new(ErrorCode::InvalidOperation, message)
    })
}

fn parse(name: &str) -> Result<ChannelName, Refusal> {
    ChannelName::parse(name)
        .map_err(|error| Refusal::new(ErrorCode::InvalidMessage, format!("{name:?}: {error}.")))
}

fn user_id(id: &str) -> Result<UserId, Refusal> {
    let fits = !id.is_empty() && id.len() <= USER_ID_BYTES && !id.chars().any(char::is_control);
    if !fits || id.starts_with(GUEST_PREFIX) {
        let message = "A member is named by its user id: 1 to 255 bytes, and not a guest's.";
        return Err(Refusal::new(ErrorCode::InvalidMessage, message));
    }
    Ok(UserId::new(id))
}

impl From<MembersError> for Refusal {
    fn from(error: MembersError) -> Self {
        let code = match &error {
            MembersError::Denied => ErrorCode::PermissionDenied,
            MembersError::NoList => ErrorCode::ChannelNotFound,
            MembersError::LastOwner | MembersError::Direct | MembersError::Full(..) => {
                ErrorCode::InvalidOperation
            }
            MembersError::Closed | MembersError::Sql(_) => {
                return Self::incident("a member list could not be changed", &error);
            }
        };
        let text = error.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        Self::new(
            code,
            format!(
                "{}{}.",
                first.map_or_else(String::new, String::from),
                letters.as_str()
            ),
        )
    }
}

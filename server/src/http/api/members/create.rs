//! `POST /api/v1/channels {topic, title?, members?}`: who makes a private channel or a document owns it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bmt_shared::channel::ChannelName;
use bmt_shared::direct::{direct_pair, direct_peer, is_direct};
use bmt_shared::error::ErrorCode;
use bmt_shared::id::UserId;
use bmt_shared::permission::{Action, Membership, Rule, decide};
use bmt_shared::reply::Reply;
use bmt_shared::request::{HistoryQuery, HistoryRange};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Listed, Person, key_of, parse, user_id};
use crate::clock;
use crate::http::access::Audited;
use crate::http::control::Control;
use crate::http::{Refusal, body};
use crate::members::{MemberRole, MembersError};

/// What people call a channel, in characters.
const TITLE_CHARACTERS: usize = 128;

/// A channel to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewChannel)]
pub(in crate::http) struct New {
    /// The name: `private:<name>`, `private:dm_<a>_<b>`, `document:<id>`.
    topic: String,
    /// What people call it, at most 128 characters.
    title: Option<String>,
    /// Who stands in the list from the beginning, besides the caller, who owns it.
    #[serde(default)]
    members: Vec<NewMember>,
}

/// Who is to stand in its list.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct NewMember {
    user_id: String,
    /// `owner`, `writer` (where nothing is said) or `reader`.
    #[serde(default = "writer")]
    #[schema(value_type = String)]
    role: MemberRole,
}

fn writer() -> MemberRole {
    MemberRole::Writer
}

/// Answers the list: 201 where it is new, 200 where it was the caller's already.
pub(super) async fn post(
    State(control): State<Control>,
    person: Person,
    body::Json(new): body::Json<New>,
) -> Result<Response, Refusal> {
    let topic = parse(&new.topic)?;
    let key = key_of(&control, &new.topic)?;
    let title = new.title.map(|title| check_title(&title)).transpose()?;
    let mut members = Vec::with_capacity(new.members.len());
    for NewMember { user_id: id, role } in new.members {
        let id = user_id(&id)?;
        // The caller owns it, whatever it says of itself.
        if id != person.0.user_id {
            members.push((id, role));
        }
    }
    let store = &control.node.members;
    if is_direct(&topic) {
        members = vec![(peer(&topic, &person, &members)?, MemberRole::Writer)];
    } else if !store.is_listed(&key) && !is_privileged(&control, &person, &topic) {
        refuse_used(&control, &topic, &key).await?;
    }
    let (list, is_new) = store
        .create(&key, title, members, &person.actor(), clock::unix_ms())
        .await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let answer = (status, Json(Listed::of(&key, &list)));
    Ok(Audited::target(key).on(answer))
}

fn check_title(title: &str) -> Result<String, Refusal> {
    let title = title.trim();
    let fits =
        (1..=TITLE_CHARACTERS).contains(&title.chars().count()) && !title.chars().any(char::is_control);
    if fits {
        return Ok(title.to_owned());
    }
    let message = format!("`title` has 1 to {TITLE_CHARACTERS} characters, on one line.");
    Err(Refusal::new(ErrorCode::InvalidMessage, message))
}

/// With whom the caller talks. The name says it, and where it can be read in two ways, `members` does.
fn peer(topic: &ChannelName, person: &Person, members: &[(UserId, MemberRole)]) -> Result<UserId, Refusal> {
    let me = person.0.user_id.as_str();
    if let Some((one, other)) = direct_pair(topic) {
        return match (one == me, other == me) {
            (true, _) => Ok(UserId::new(other)),
            (_, true) => Ok(UserId::new(one)),
            _ => Err(MembersError::Denied.into()),
        };
    }
    let possible = direct_peer(topic, me);
    if possible.is_empty() {
        return Err(MembersError::Denied.into());
    }
    let named = match members {
        [] if possible.len() == 1 => possible.first().copied(),
        [(user, _)] => possible.into_iter().find(|id| *id == user.as_str()),
        _ => None,
    };
    named.map(UserId::new).ok_or_else(|| {
        let message = "`members` must name the one other person whom `topic` is about.";
        Refusal::new(ErrorCode::InvalidMessage, message)
    })
}

/// Whether the caller may read and write the channel without a list, so that taking it over gains nothing.
fn is_privileged(control: &Control, person: &Person, topic: &ChannelName) -> bool {
    let current = control.node.current();
    let namespaces = &current.config.namespaces;
    [Action::Subscribe, Action::Publish].into_iter().all(|action| {
        let rule = decide(namespaces, &person.0, topic, action, Membership::Unlisted);
        matches!(rule, Rule::Administrator | Rule::Capability(_) | Rule::Override)
    })
}

/// Refuses a channel that was ever written to: a list would hand its messages to whoever makes it, and take an
/// open document from those who work on it. The answer is that of a name which is taken.
async fn refuse_used(control: &Control, topic: &ChannelName, key: &str) -> Result<(), Refusal> {
    // The channel by which documents are shared (SPEC §11).
    let changes = format!("{key}:changes");
    let mut names = vec![topic.clone()];
    if *key != *topic.as_str() || topic.namespace() == "document" {
        names.extend(
            [key, &changes]
                .iter()
                .filter_map(|name| ChannelName::parse(name).ok()),
        );
    }
    for topic in names {
        let newest = HistoryQuery {
            topic,
            range: HistoryRange::Newest,
            limit: 1,
        };
        match control.ask(|answer| control.shards.history(newest, answer)).await {
            Reply::History(page) if page.seq == 0 => {}
            Reply::Failed(failure) => return Err(failure.into()),
            _ => return Err(MembersError::Denied.into()),
        }
    }
    Ok(())
}

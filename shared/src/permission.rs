//! Who may do what on which channel: one pure function for server, SDK and app (SPEC §3).

mod rule;

use crate::channel::ChannelName;
use crate::direct::{direct_pair, is_direct};
use crate::error::ErrorCode;
use crate::identity::{Role, User};
use crate::namespace::{Access, Namespaces};

pub use rule::Rule;

/// What a user wants to do on a channel. Reading history and presence needs [`Action::Subscribe`],
/// signalling needs [`Action::Publish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read: subscribe, history, presence, receipts.
    Subscribe,
    /// Write: publish, signal.
    Publish,
}

/// What a channel's or document's member list says of the user, as the server's store of members knows it.
///
/// A private channel without a list is [`Membership::Unlisted`] for everybody: it is open to administrators and to
/// holders of a capability or of [`PRIVATE_CHANNEL_ACCESS`], and closed to all others, whether it was ever used or
/// not. A list opens it to those who stand in it; it closes it to nobody who could enter without. A document
/// without a list is open to all users; a list closes it to those who do not stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Membership {
    /// There is no member list.
    #[default]
    Unlisted,
    /// There is one, and the user does not stand in it.
    Outside,
    /// The user may read.
    Reader,
    /// The user may read and write.
    Writer,
    /// The user made it.
    Owner,
}

/// Opens every channel of the namespace `private` to its holder (SPEC §3): an operator's override.
pub const PRIVATE_CHANNEL_ACCESS: &str = "private_channel_access";

/// Decides by the default namespaces. See [`can_in`].
pub fn can(
    user: &User,
    channel: &ChannelName,
    action: Action,
    membership: Membership,
) -> Result<(), ErrorCode> {
    can_in(&Namespaces::default(), user, channel, action, membership)
}

/// Decides whether `user` may do `action` on `channel`. See [`decide`], which also says why.
///
/// Refusals are [`ErrorCode::ChannelNotFound`] for a namespace that is not configured and
/// [`ErrorCode::PermissionDenied`] for everything else, so that a private channel which does not exist and
/// one that is closed to the user look alike.
pub fn can_in(
    namespaces: &Namespaces,
    user: &User,
    channel: &ChannelName,
    action: Action,
    membership: Membership,
) -> Result<(), ErrorCode> {
    decide(namespaces, user, channel, action, membership).verdict()
}

/// Answers the rule by which `user` may or may not do `action` on `channel`.
#[must_use]
pub fn decide<'a>(
    namespaces: &Namespaces,
    user: &'a User,
    channel: &ChannelName,
    action: Action,
    membership: Membership,
) -> Rule<'a> {
    let Some(namespace) = namespaces.of(channel) else {
        return Rule::UnknownNamespace;
    };
    if user.role == Role::Admin {
        return Rule::Administrator;
    }
    if let Some(held) = capability(user, channel, action) {
        return Rule::Capability(held);
    }
    let access = match action {
        Action::Subscribe => namespace.subscribe,
        Action::Publish => namespace.publish,
    };
    let known = user.role == Role::User;
    match access {
        Access::Admins => Rule::AdministratorsOnly,
        Access::Users if known => Rule::OpenToUsers,
        Access::Users if namespace.guest_channels.contains(channel) => Rule::OpenToGuests,
        // Before the guests: a guest's own channel is its own as well.
        Access::Owner if channel.owner() == Some(user.user_id.as_str()) => Rule::OwnChannel,
        Access::Owner => Rule::ChannelOfAnotherUser,
        _ if !known => Rule::NotForGuests,
        Access::Members => among_members(user, channel, action, membership),
        _ if membership == Membership::Unlisted => Rule::OpenDocument,
        _ => by_membership(membership, action),
    }
}

fn among_members<'a>(
    user: &'a User,
    channel: &ChannelName,
    action: Action,
    membership: Membership,
) -> Rule<'a> {
    let rule = match direct_pair(channel) {
        // The name says who; a list could only repeat it.
        Some((one, other)) if [one, other].contains(&user.user_id.as_str()) => Rule::DirectConversation,
        Some(_) => Rule::ConversationOfOthers,
        None => by_membership(membership, action),
    };
    if !rule.allows() && holds(user, PRIVATE_CHANNEL_ACCESS) {
        return Rule::Override;
    }
    rule
}

fn by_membership(membership: Membership, action: Action) -> Rule<'static> {
    match (membership, action) {
        (Membership::Unlisted, _) => Rule::NoMemberList,
        (Membership::Outside, _) => Rule::NotAMember,
        (Membership::Reader, Action::Publish) => Rule::ReadersOnlyRead,
        (Membership::Reader | Membership::Writer | Membership::Owner, _) => Rule::Member,
    }
}

fn holds(user: &User, permission: &str) -> bool {
    user.permissions.iter().any(|held| held == permission)
}

/// What stands for a channel in the store of members, where the namespace's rules ask for a membership: the whole
/// name, or `document:<id>` for all channels of a document. `None` where no membership would change anything.
#[must_use]
pub fn listed_as<'a>(namespaces: &Namespaces, channel: &'a ChannelName) -> Option<&'a str> {
    let namespace = namespaces.of(channel)?;
    let asks =
        |wanted: &[Access]| wanted.contains(&namespace.subscribe) || wanted.contains(&namespace.publish);
    if asks(&[Access::DocumentReaders, Access::DocumentWriters]) {
        let name = channel.as_str();
        let end = name.match_indices(':').nth(1).map_or(name.len(), |(at, _)| at);
        // A bare `document` names no document.
        return channel.owner().map(|_| &name[..end]);
    }
    let by_name = is_direct(channel) && direct_pair(channel).is_some();
    (asks(&[Access::Members]) && !by_name).then(|| channel.as_str())
}

/// The first of the user's capabilities that names this channel: `channel:<name>` for both actions,
/// `subscribe:<name>` or `publish:<name>` for one, each also as `…:<prefix>:*` for all names below a prefix.
fn capability<'a>(user: &'a User, channel: &ChannelName, action: Action) -> Option<&'a str> {
    let verb = match action {
        Action::Subscribe => "subscribe",
        Action::Publish => "publish",
    };
    user.permissions.iter().map(String::as_str).find(|permission| {
        let Some((kind, pattern)) = permission.split_once(':') else {
            return false;
        };
        (kind == "channel" || kind == verb) && pattern_covers(pattern, channel.as_str())
    })
}

fn pattern_covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix(":*") {
        // The colon must follow the prefix: `private:team:*` never covers `private:teams:x`.
        Some(prefix) => {
            !prefix.is_empty()
                && name
                    .strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with(':'))
        }
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests;

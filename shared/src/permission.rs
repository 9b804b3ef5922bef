//! Who may do what on which channel: one pure function for server, SDK and app (SPEC §3).

use crate::channel::ChannelName;
use crate::error::ErrorCode;
use crate::identity::{Role, User};
use crate::namespace::{Access, Namespaces};

/// What a user wants to do on a channel. Reading history and presence needs [`Action::Subscribe`],
/// signalling needs [`Action::Publish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read: subscribe, history, presence, receipts.
    Subscribe,
    /// Write: publish, signal.
    Publish,
}

/// What a channel's or document's member list says of the user, as the account store knows it.
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

/// Decides whether `user` may do `action` on `channel`.
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
    let namespace = namespaces.of(channel).ok_or(ErrorCode::ChannelNotFound)?;
    if user.role == Role::Admin || has_capability(user, channel, action) {
        return Ok(());
    }
    let known = user.role == Role::User;
    let access = match action {
        Action::Subscribe => namespace.subscribe,
        Action::Publish => namespace.publish,
    };
    let reads = matches!(
        membership,
        Membership::Reader | Membership::Writer | Membership::Owner
    );
    let writes = matches!(membership, Membership::Writer | Membership::Owner);
    let allowed = match access {
        Access::Admins => false,
        Access::Users => known || namespace.guest_channels.contains(channel),
        Access::Members => {
            let member = if action == Action::Publish { writes } else { reads };
            known && (member || holds(user, PRIVATE_CHANNEL_ACCESS))
        }
        Access::Owner => channel.owner() == Some(user.user_id.as_str()),
        Access::DocumentReaders => known && (reads || membership == Membership::Unlisted),
        Access::DocumentWriters => known && (writes || membership == Membership::Unlisted),
    };
    if allowed {
        Ok(())
    } else {
        Err(ErrorCode::PermissionDenied)
    }
}

fn holds(user: &User, permission: &str) -> bool {
    user.permissions.iter().any(|held| held == permission)
}

/// Whether one of the user's capabilities names this channel: `channel:<name>` for both actions,
/// `subscribe:<name>` or `publish:<name>` for one, each also as `…:<prefix>:*` for all names below a prefix.
fn has_capability(user: &User, channel: &ChannelName, action: Action) -> bool {
    let verb = match action {
        Action::Subscribe => "subscribe",
        Action::Publish => "publish",
    };
    user.permissions.iter().any(|permission| {
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
mod tests {
    use super::*;
    use crate::id::UserId;

    fn user(role: Role, id: &str, permissions: &[&str]) -> User {
        User {
            user_id: UserId::new(id),
            name: id.to_owned(),
            role,
            permissions: permissions.iter().map(|&p| p.to_owned()).collect(),
        }
    }

    fn decide(who: &User, channel: &str, action: Action, membership: Membership) -> Result<(), ErrorCode> {
        can(who, &ChannelName::parse(channel).unwrap(), action, membership)
    }

    /// SPEC §3, row by row: channel, then `sp` for admin, user, guest (`-` where refused).
    #[test]
    fn the_table_of_the_specification_holds() {
        let rows = [
            ("public:chat", "sp", "sp", "--"),
            ("public:general", "sp", "sp", "sp"),
            ("lobby", "sp", "sp", "--"),
            ("private:team", "sp", "--", "--"),
            ("user:1", "sp", "sp", "--"),
            ("user:1:inbox", "sp", "sp", "--"),
            ("user:12", "sp", "--", "--"),
            ("system:notifications", "sp", "s-", "s-"),
            ("system:metrics", "sp", "s-", "--"),
            ("document:d:changes", "sp", "sp", "--"),
        ];
        let people = [
            user(Role::Admin, "root", &[]),
            user(Role::User, "1", &[]),
            user(Role::Guest, "guest_x", &[]),
        ];
        for (channel, admin, known, guest) in rows {
            for (who, expected) in people.iter().zip([admin, known, guest]) {
                let answer: String = [(Action::Subscribe, 's'), (Action::Publish, 'p')]
                    .map(
                        |(action, letter)| match decide(who, channel, action, Membership::Unlisted) {
                            Ok(()) => letter,
                            Err(ErrorCode::PermissionDenied) => '-',
                            Err(other) => panic!("{channel}: {other:?}"),
                        },
                    )
                    .iter()
                    .collect();
                assert_eq!(answer, expected, "{channel} for {:?}", who.role);
            }
        }
    }

    #[test]
    fn an_unknown_namespace_is_not_found_even_for_admins() {
        let admin = user(Role::Admin, "root", &[]);
        assert_eq!(
            decide(&admin, "nowhere:x", Action::Subscribe, Membership::Unlisted),
            Err(ErrorCode::ChannelNotFound)
        );
    }

    #[test]
    fn a_capability_opens_its_channels_and_no_others() {
        let holder = user(
            Role::User,
            "1",
            &["channel:private:team:*", "subscribe:private:board"],
        );
        let ok = |channel, action| decide(&holder, channel, action, Membership::Unlisted).is_ok();
        assert!(ok("private:team:x", Action::Publish));
        assert!(ok("private:team:x:y", Action::Subscribe));
        assert!(!ok("private:team", Action::Subscribe));
        assert!(!ok("private:teams:x", Action::Subscribe));
        assert!(ok("private:board", Action::Subscribe));
        assert!(!ok("private:board", Action::Publish));
    }

    #[test]
    fn members_read_writers_write() {
        let who = user(Role::User, "1", &[]);
        let ok = |channel, action, membership| decide(&who, channel, action, membership).is_ok();
        assert!(ok("private:team", Action::Subscribe, Membership::Reader));
        assert!(!ok("private:team", Action::Publish, Membership::Reader));
        assert!(ok("document:d:changes", Action::Publish, Membership::Writer));
        assert!(!ok("document:d:changes", Action::Subscribe, Membership::Outside));
        let override_holder = user(Role::User, "1", &[PRIVATE_CHANNEL_ACCESS]);
        assert!(
            decide(
                &override_holder,
                "private:team",
                Action::Publish,
                Membership::Outside
            )
            .is_ok()
        );
    }
}

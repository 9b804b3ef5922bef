//! The table of SPEC §3 and the rules behind it.

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

fn decided(who: &User, channel: &str, action: Action, membership: Membership) -> Result<(), ErrorCode> {
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
                    |(action, letter)| match decided(who, channel, action, Membership::Unlisted) {
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
        decided(&admin, "nowhere:x", Action::Subscribe, Membership::Unlisted),
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
    let ok = |channel, action| decided(&holder, channel, action, Membership::Unlisted).is_ok();
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
    let ok = |channel, action, membership| decided(&who, channel, action, membership).is_ok();
    assert!(ok("private:team", Action::Subscribe, Membership::Reader));
    assert!(!ok("private:team", Action::Publish, Membership::Reader));
    assert!(ok("document:d:changes", Action::Publish, Membership::Writer));
    assert!(!ok("document:d:changes", Action::Subscribe, Membership::Outside));
    let override_holder = user(Role::User, "1", &[PRIVATE_CHANNEL_ACCESS]);
    assert!(
        decided(
            &override_holder,
            "private:team",
            Action::Publish,
            Membership::Outside
        )
        .is_ok()
    );
}

#[test]
fn a_direct_conversation_is_open_to_its_two_and_to_the_override() {
    let ok = |id, permissions: &[&str], channel, membership| {
        let who = user(Role::User, id, permissions);
        decided(&who, channel, Action::Publish, membership).is_ok()
    };
    for (id, open) in [
        ("alice", true),
        ("bob", true),
        ("ali", false),
        ("ce", false),
        ("mallory", false),
    ] {
        assert_eq!(
            ok(id, &[], "private:dm_alice_bob", Membership::Unlisted),
            open,
            "{id}"
        );
        assert_eq!(
            ok(id, &[], "private:dm_alice_bob", Membership::Outside),
            open,
            "{id}"
        );
    }
    assert!(ok(
        "mallory",
        &[PRIVATE_CHANNEL_ACCESS],
        "private:dm_alice_bob",
        Membership::Unlisted
    ));
    // `a` and `b_c`, or `a_b` and `c`: only a list can tell.
    for id in ["a", "b_c", "a_b", "c"] {
        assert!(!ok(id, &[], "private:dm_a_b_c", Membership::Unlisted), "{id}");
        assert!(ok(id, &[], "private:dm_a_b_c", Membership::Owner), "{id}");
    }
    let guest = user(Role::Guest, "alice", &[]);
    assert!(
        decided(
            &guest,
            "private:dm_alice_bob",
            Action::Subscribe,
            Membership::Unlisted
        )
        .is_err()
    );
}

#[test]
fn every_decision_names_its_rule() {
    let namespaces = Namespaces::default();
    let rule = |role, permissions: &[&str], channel: &str, action, membership| {
        let who = user(role, "1", permissions);
        let channel = ChannelName::parse(channel).unwrap();
        let rule = super::decide(&namespaces, &who, &channel, action, membership);
        assert_eq!(
            can_in(&namespaces, &who, &channel, action, membership),
            rule.verdict()
        );
        assert!(!rule.to_string().is_empty());
        rule.code()
    };
    use {Action::Publish as P, Action::Subscribe as S, Membership as M, Role as R};
    assert_eq!(rule(R::Admin, &[], "private:x", P, M::Unlisted), "administrator");
    assert_eq!(
        rule(R::Guest, &["publish:system:*"], "system:x", P, M::Unlisted),
        "capability"
    );
    assert_eq!(rule(R::User, &[], "lobby", P, M::Unlisted), "open_to_users");
    assert_eq!(
        rule(R::Guest, &[], "public:general", S, M::Unlisted),
        "open_to_guests"
    );
    assert_eq!(rule(R::User, &[], "private:x", S, M::Reader), "member");
    assert_eq!(
        rule(R::User, &[PRIVATE_CHANNEL_ACCESS], "private:x", S, M::Outside),
        "private_channel_access"
    );
    assert_eq!(
        rule(R::User, &[], "private:dm_1_2", S, M::Unlisted),
        "direct_conversation"
    );
    assert_eq!(rule(R::User, &[], "user:1:x", S, M::Unlisted), "own_channel");
    assert_eq!(
        rule(R::User, &[], "document:d:x", P, M::Unlisted),
        "open_document"
    );
    assert_eq!(
        rule(R::Admin, &[], "nowhere:x", P, M::Unlisted),
        "unknown_namespace"
    );
    assert_eq!(
        rule(R::User, &[], "system:x", P, M::Unlisted),
        "administrators_only"
    );
    assert_eq!(
        rule(R::Guest, &[], "document:d:x", S, M::Unlisted),
        "not_for_guests"
    );
    assert_eq!(rule(R::User, &[], "document:d:x", S, M::Outside), "not_a_member");
    assert_eq!(rule(R::User, &[], "private:x", S, M::Unlisted), "no_member_list");
    assert_eq!(rule(R::User, &[], "private:x", P, M::Reader), "readers_only_read");
    assert_eq!(
        rule(R::User, &[], "private:dm_2_3", S, M::Unlisted),
        "conversation_of_others"
    );
    assert_eq!(
        rule(R::User, &[], "user:12", S, M::Unlisted),
        "channel_of_another_user"
    );
}

#[test]
fn a_list_is_kept_for_a_channel_or_for_a_whole_document() {
    let namespaces = Namespaces::default();
    for (channel, key) in [
        ("private:team", Some("private:team")),
        ("private:team:x", Some("private:team:x")),
        ("private:dm_a_b", None),
        ("private:dm_a_b_c", Some("private:dm_a_b_c")),
        ("document:d", Some("document:d")),
        ("document:d:changes", Some("document:d")),
        ("document:d:changes:x", Some("document:d")),
        ("public:chat", None),
        ("user:1", None),
        ("nowhere:x", None),
    ] {
        assert_eq!(
            listed_as(&namespaces, &ChannelName::parse(channel).unwrap()),
            key,
            "{channel}"
        );
    }
}

//! The words that the npm package repeats in TypeScript are the ones of the protocol: both are held to one file.
//!
//! `BMT_WRITE_GOLDEN=1 cargo test -p bmt-client-js --test words` writes the file anew after a table has changed.

use bmt_shared::channel::{ChannelName, validate_channel_name};
use bmt_shared::close::{CloseCode, should_reconnect};
use bmt_shared::error::ErrorCode;
use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};
use bmt_shared::permission::{Action, Membership, can};
use serde_json::{Value, json};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../packages/realtime/test/words.json"
);

const CHANNEL_NAMES: &[&str] = &[
    "public:chat",
    "private:a-b_C9",
    "user:12",
    "system:metrics",
    "document:x",
    "user:1:2",
    "lobby",
    "public:",
    ":x",
    "",
    "public:a b",
    "public:频道",
    "PUBLIC:chat",
    "public:chat\n",
];

/// Channels whose rights differ, for the users below.
const CHANNELS: &[&str] = &[
    "lobby",
    "bare:x",
    "public:general",
    "public:chat",
    "public:chat:thread",
    "private:board",
    "private:team:a",
    "private:teams:a",
    "private:dm_1_12",
    "private:dm_u_0123456789abcdef_1",
    "private:dm_a_b_c",
    "private:dm__1",
    "private:dm_1",
    "private:dm_1_12:x",
    "user:1",
    "user:1:inbox",
    "user:12",
    "user",
    "system:notifications",
    "system:metrics",
    "document:x:changes",
    "order:12",
    "public:a b",
    "public:",
    "",
];

/// Role, id and permissions of those who ask.
const USERS: &[(Role, &str, &[&str])] = &[
    (Role::Admin, "9", &[]),
    (Role::User, "1", &[]),
    (Role::User, "12", &["private_channel_access"]),
    (Role::User, "2", &["channel:private:team:*", "channel::*"]),
    (
        Role::User,
        "3",
        &["subscribe:private:board", "publish:system:metrics"],
    ),
    (Role::User, "u_0123456789abcdef", &[]),
    (Role::Guest, "guest_1", &[]),
    (Role::Guest, "1", &["channel:private:board"]),
];

/// What the default configuration grants each user on each channel, where no member list is known.
fn permissions() -> Vec<Value> {
    let user = |(role, id, permissions): &(Role, &str, &[&str])| User {
        user_id: UserId::new(id),
        name: (*id).to_owned(),
        role: *role,
        permissions: permissions.iter().map(|held| (*held).to_owned()).collect(),
    };
    let judged = |user: &User, channel: &str| {
        let may = |action| {
            let name = ChannelName::parse(channel);
            name.is_ok_and(|name| can(user, &name, action, Membership::Unlisted).is_ok())
        };
        json!([channel, may(Action::Subscribe), may(Action::Publish)])
    };
    let table = USERS.iter().map(user).map(|user| {
        let channels: Vec<_> = CHANNELS.iter().map(|channel| judged(&user, channel)).collect();
        json!({
            "role": user.role.as_str(),
            "userId": user.user_id.as_str(),
            "permissions": user.permissions,
            "channels": channels,
        })
    });
    table.collect()
}

fn words() -> Value {
    let errors = ErrorCode::ALL.iter().map(
        |code| json!({ "code": code.as_str(), "number": code.number(), "retryable": code.is_retryable() }),
    );
    let closes = CloseCode::ALL
        .iter()
        .map(|code| json!({ "number": code.number(), "reconnects": should_reconnect(code.number()) }));
    let names = CHANNEL_NAMES
        .iter()
        .map(|name| json!({ "name": name, "valid": validate_channel_name(name) }));
    json!({
        "errors": errors.collect::<Vec<_>>(),
        "closes": closes.collect::<Vec<_>>(),
        "channelNames": names.collect::<Vec<_>>(),
        "permissions": permissions(),
    })
}

#[test]
fn the_package_is_tested_against_the_protocol_as_it_is() {
    let words = words();
    if std::env::var_os("BMT_WRITE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&words).unwrap();
        std::fs::write(FILE, text + "\n").unwrap();
    }
    let written: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert_eq!(
        written, words,
        "write {FILE} anew and bring the package's constants in line"
    );
}

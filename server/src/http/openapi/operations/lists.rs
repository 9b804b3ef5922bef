//! Member lists of private channels and documents: users act here for themselves.

use bmt_shared::error::ErrorCode::{ChannelNotFound, InvalidMessage, InvalidOperation, PermissionDenied};
use serde_json::{Value, json};

use super::{Caller, Operation, on};
use crate::http::api::members;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        of_a_list(on(
            "POST",
            "/channels",
            "member lists",
            "Make a channel with members; its maker owns it",
        ))
        .takes::<members::New>(json!({
            "topic": "private:team",
            "title": "The team",
            "members": [{"userId": "43", "role": "writer"}],
        }))
        .gives_as::<members::Listed>(201, "Made.", list())
        .gives_as::<members::Listed>(200, "It was the caller's already.", list()),
        on(
            "GET",
            "/channels/mine",
            "member lists",
            "The channels that one is a member of",
        )
        .of(Caller::User)
        .gives::<members::Mine>(
            "In the order of their names.",
            json!({"channels": [{
                "topic": "private:team",
                "title": "The team",
                "createdAt": 1_790_000_000_000_u64,
                "role": "owner",
                "members": 2,
            }]}),
        )
        .fails(PermissionDenied),
        of_a_list(on(
            "DELETE",
            "/channels/{topic}",
            "member lists",
            "End a member list",
        ))
        .done("Nobody stands in it any more."),
        of_a_list(on(
            "GET",
            "/channels/{topic}/members",
            "member lists",
            "The members of a channel",
        ))
        .gives::<members::Listed>("The list.", list()),
        of_a_list(on(
            "GET",
            "/channels/{topic}/members/{user}",
            "member lists",
            "One member of a channel",
        ))
        .gives::<members::Entry>("The entry.", entry("43", "writer"))
        .fails_as(404, InvalidOperation),
        of_a_list(on(
            "PUT",
            "/channels/{topic}/members/{user}",
            "member lists",
            "Make somebody a member, or change what a member may do",
        ))
        .takes::<members::Wanted>(json!({"role": "reader"}))
        .gives::<members::Entry>("The entry.", entry("43", "reader")),
        of_a_list(on(
            "DELETE",
            "/channels/{topic}/members/{user}",
            "member lists",
            "Take a member out",
        ))
        .done("The user stands in it no more."),
    ]
}

/// What every request about one list can meet.
fn of_a_list(operation: Operation) -> Operation {
    operation
        .of(Caller::User)
        .fails(InvalidMessage)
        .fails(PermissionDenied)
        .fails(ChannelNotFound)
        .fails(InvalidOperation)
}

fn entry(user: &str, role: &str) -> Value {
    json!({"userId": user, "role": role, "since": 1_790_000_000_000_u64})
}

fn list() -> Value {
    json!({
        "topic": "private:team",
        "title": "The team",
        "createdAt": 1_790_000_000_000_u64,
        "members": [entry("42", "owner"), entry("43", "writer")],
    })
}

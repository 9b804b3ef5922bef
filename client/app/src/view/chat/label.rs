//! What a channel is called on the screen, and its mark.

use bmt_shared::channel::ChannelName;
use bmt_shared::id::UserId;

use crate::state::people::People;
use crate::view::icon::Icon;

/// The channel's short name: without its namespace, which the mark shows; a user's channel by the user's name.
pub(super) fn label(name: &ChannelName, people: &People) -> String {
    match name.as_str().split_once(':') {
        None => name.as_str().to_owned(),
        Some(("user", id)) if !id.contains(':') => people.name(&UserId::new(id)).to_owned(),
        Some(("public" | "private" | "system", rest)) => rest.to_owned(),
        Some(_) => name.as_str().to_owned(),
    }
}

/// The mark of the channel's namespace.
pub(super) fn mark(name: &ChannelName) -> Icon {
    match name.namespace() {
        "private" => Icon::Lock,
        "user" => Icon::Person,
        "system" => Icon::Bell,
        _ => Icon::Hash,
    }
}

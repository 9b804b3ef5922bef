//! Which rule decided, as a code for programs and in words for people.

use std::fmt;

use crate::error::ErrorCode;

/// The rule by which [`decide`](super::decide) decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule<'a> {
    /// Administrators may do everything.
    Administrator,
    /// The user holds this capability.
    Capability(&'a str),
    /// The namespace is open to users.
    OpenToUsers,
    /// The channel is open to guests.
    OpenToGuests,
    /// The user stands in the channel's member list with enough rights.
    Member,
    /// The user holds [`PRIVATE_CHANNEL_ACCESS`](super::PRIVATE_CHANNEL_ACCESS).
    Override,
    /// The direct conversation is the user's own.
    DirectConversation,
    /// The channel bears the user's id.
    OwnChannel,
    /// The document has no member list.
    OpenDocument,

    /// The namespace is not configured.
    UnknownNamespace,
    /// The namespace leaves this to administrators.
    AdministratorsOnly,
    /// Guests may not do this here.
    NotForGuests,
    /// There is a member list, and the user does not stand in it.
    NotAMember,
    /// There is no member list, and the user holds no permission that would do without.
    NoMemberList,
    /// The user may read, and wants to write.
    ReadersOnlyRead,
    /// The direct conversation is between others.
    ConversationOfOthers,
    /// The channel bears another user's id, or nobody's.
    ChannelOfAnotherUser,
}

impl Rule<'_> {
    /// The rule's name for programs. Codes are never changed, only added.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Capability(_) => "capability",
            Self::OpenToUsers => "open_to_users",
            Self::OpenToGuests => "open_to_guests",
            Self::Member => "member",
            Self::Override => "private_channel_access",
            Self::DirectConversation => "direct_conversation",
            Self::OwnChannel => "own_channel",
            Self::OpenDocument => "open_document",
            Self::UnknownNamespace => "unknown_namespace",
            Self::AdministratorsOnly => "administrators_only",
            Self::NotForGuests => "not_for_guests",
            Self::NotAMember => "not_a_member",
            Self::NoMemberList => "no_member_list",
            Self::ReadersOnlyRead => "readers_only_read",
            Self::ConversationOfOthers => "conversation_of_others",
            Self::ChannelOfAnotherUser => "channel_of_another_user",
        }
    }

    /// Whether this rule allows.
    #[must_use]
    pub fn allows(self) -> bool {
        self.verdict().is_ok()
    }

    /// What follows from the rule.
    ///
    /// # Errors
    /// [`ErrorCode::ChannelNotFound`] for a namespace that is not configured and [`ErrorCode::PermissionDenied`]
    /// for everything else: of a rule that refuses, its user learns no more than that.
    pub fn verdict(self) -> Result<(), ErrorCode> {
        match self {
            Self::Administrator
            | Self::Capability(_)
            | Self::OpenToUsers
            | Self::OpenToGuests
            | Self::Member
            | Self::Override
            | Self::DirectConversation
            | Self::OwnChannel
            | Self::OpenDocument => Ok(()),
            Self::UnknownNamespace => Err(ErrorCode::ChannelNotFound),
            Self::AdministratorsOnly
            | Self::NotForGuests
            | Self::NotAMember
            | Self::NoMemberList
            | Self::ReadersOnlyRead
            | Self::ConversationOfOthers
            | Self::ChannelOfAnotherUser => Err(ErrorCode::PermissionDenied),
        }
    }
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Administrator => "administrators may do everything",
            Self::Capability(held) => {
                return write!(f, "the user holds the permission `{held}`, which covers this channel");
            }
            Self::OpenToUsers => "this namespace is open to all users",
            Self::OpenToGuests => "this channel is open to guests, by `guest_channels` of its namespace",
            Self::Member => "the user stands in the member list, with a role that allows this",
            Self::Override => "the user holds `private_channel_access`, which opens all private channels",
            Self::DirectConversation => "the user is one of the two whom this direct conversation is between",
            Self::OwnChannel => "the channel bears the user's own id",
            Self::OpenDocument => "the document has no member list yet, so it is open to all users",
            Self::UnknownNamespace => "the channel's namespace is not configured on this server",
            Self::AdministratorsOnly => "this namespace leaves this to administrators and the server's API",
            Self::NotForGuests => "guests may not do this here",
            Self::NotAMember => "the user does not stand in the member list",
            Self::NoMemberList => {
                "the channel has no member list, and the user holds neither a permission for this channel nor \
                 `private_channel_access`"
            }
            Self::ReadersOnlyRead => "the user stands in the member list as a reader, who may not write",
            Self::ConversationOfOthers => "the direct conversation is between two others",
            Self::ChannelOfAnotherUser => "the channel bears another user's id, or nobody's",
        })
    }
}

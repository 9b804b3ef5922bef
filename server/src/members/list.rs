//! One member list.

use std::collections::BTreeMap;

use bmt_shared::id::UserId;
use bmt_shared::permission::Membership;
use serde::{Deserialize, Serialize};

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// Read, write, and change the list.
    Owner,
    /// Read and write.
    Writer,
    /// Read.
    Reader,
}

impl MemberRole {
    const ALL: [Self; 3] = [Self::Owner, Self::Writer, Self::Reader];

    /// The role's name on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Writer => "writer",
            Self::Reader => "reader",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl From<MemberRole> for Membership {
    fn from(role: MemberRole) -> Self {
        match role {
            MemberRole::Owner => Self::Owner,
            MemberRole::Writer => Self::Writer,
            MemberRole::Reader => Self::Reader,
        }
    }
}

/// One entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the member may do.
    pub role: MemberRole,
    /// Since when it stands in the list, ms since the Unix epoch.
    pub since_ms: u64,
}

/// The members of a channel or a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// What people call it.
    pub title: Option<String>,
    /// When it was made, ms since the Unix epoch.
    pub created_ms: u64,
    /// Who emptied it for good.
    pub deleted_by: Option<UserId>,
    /// The entries, in the order of the users' ids.
    pub members: BTreeMap<UserId, Member>,
}

impl List {
    /// A user's role.
    #[must_use]
    pub fn role(&self, user: &UserId) -> Option<MemberRole> {
        self.members.get(user).map(|member| member.role)
    }

    /// What the list says of a user.
    #[must_use]
    pub fn membership(&self, user: &UserId) -> Membership {
        self.role(user).map_or(Membership::Outside, Membership::from)
    }

    /// Whether the list is somebody's, and nobody else's than this user's.
    pub(super) fn is_last_owner(&self, user: &UserId) -> bool {
        let is_owner =
            |(id, member): (&UserId, &Member)| (member.role == MemberRole::Owner).then_some(id.clone());
        let mut owners = self.members.iter().filter_map(is_owner);
        owners.next().as_ref() == Some(user) && owners.next().is_none()
    }
}

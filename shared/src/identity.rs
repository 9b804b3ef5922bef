//! Who speaks: a user with a role and permissions (SPEC §1, §2).

use serde::{Deserialize, Serialize};

use crate::id::UserId;

/// What a user may do in general; single channels are granted by [`User::permissions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// A known user. What a token without `role` has.
    #[default]
    User,
    /// Somebody without an account.
    Guest,
}

impl Role {
    /// The role's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Guest => "guest",
        }
    }

    /// Reads a role's name as it stands on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::User, Self::Guest]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The token's `sub`.
    pub user_id: UserId,
    /// What to show to people; the id where the token names none.
    pub name: String,
    /// See [`Role`].
    #[serde(default)]
    pub role: Role,
    /// Capabilities such as `private_channel_access` or `channel:private:team:*` (SPEC §3).
    #[serde(default)]
    pub permissions: Vec<String>,
}

//! People without an account: an id that their browser keeps, and a token for it (SPEC §2).

use std::sync::Arc;

use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};

use super::{AccessToken, Authenticator, BUILT_IN_ISSUER, GUEST_PREFIX, Grant, Identity};
use crate::random;

/// A guest with a token.
#[derive(Debug)]
pub struct GuestLogin {
    /// Who it is.
    pub user: User,
    /// Speaks for it.
    pub access: AccessToken,
    /// For the cookie: brings the same id back.
    pub keepsake: String,
}

impl Authenticator {
    /// Lets a guest in: the one whose browser kept this, else a new one. None where guests are not allowed, or
    /// this one is blocked.
    #[must_use]
    pub fn let_guest_in(&self, keepsake: Option<&str>, now_ms: u64) -> Option<GuestLogin> {
        let kept = keepsake.and_then(|kept| self.guest_seal.open(kept));
        let identity = kept.map_or_else(new_guest, |id| guest(UserId::new(id)));
        self.judge(&identity.user.user_id, &identity.grant).ok()?;
        let user = identity.user;
        Some(GuestLogin {
            access: self.issue_for(&user, None, now_ms),
            keepsake: self.guest_seal.seal(user.user_id.as_str()),
            user,
        })
    }
}

/// Somebody who was never here.
pub(super) fn new_guest() -> Identity {
    guest(UserId::new(&format!("{GUEST_PREFIX}{}", random::text::<12>())))
}

fn guest(user_id: UserId) -> Identity {
    let tail = user_id.as_str().trim_start_matches(GUEST_PREFIX);
    Identity {
        user: User {
            name: format!("Guest {}", tail.chars().take(4).collect::<String>()),
            user_id,
            role: Role::Guest,
            permissions: Vec::new(),
        },
        expires_at_ms: None,
        grant: Grant {
            issuer: Arc::from(BUILT_IN_ISSUER),
            role: Role::Guest,
            session: None,
        },
    }
}

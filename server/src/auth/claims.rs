//! What a token says, and the rules it must keep (SPEC §2).

use std::fmt;
use std::sync::Arc;

use bmt_shared::error::AuthReason;
use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{ANY_ISSUER, BUILT_IN_ISSUER, Grant, Identity, SessionId};

/// Longer subjects are no ids but something else that went into the wrong claim.
const SUBJECT_BYTES: usize = 255;
/// What is shown of a name.
const NAME_CHARACTERS: usize = 128;
/// The end of the year 9999, s: a larger `exp` was given in ms by mistake.
const LAST_SECOND: u64 = 253_402_300_799;

/// The claims of an access token. Times are whole seconds since the epoch; a text, a fraction or a negative
/// number is malformed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
}

/// What every token must keep beyond its signature.
pub(super) struct Rules {
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) leeway_ms: u64,
}

impl Rules {
    pub(super) fn check(&self, claims: &Claims, now_ms: u64) -> Result<(), AuthReason> {
        let control = claims.sub.chars().any(char::is_control);
        if claims.sub.is_empty() || claims.sub.len() > SUBJECT_BYTES || control || claims.exp > LAST_SECOND {
            return Err(AuthReason::Malformed);
        }
        if let (Some(issuer), false) = (&self.issuer, claims.is_built_in())
            && claims.iss.as_ref() != Some(issuer)
        {
            return Err(AuthReason::InvalidSignature);
        }
        if let Some(audience) = &self.audience
            && !claims.aud.as_ref().is_some_and(|aud| aud.0.contains(audience))
        {
            return Err(AuthReason::InvalidSignature);
        }
        if now_ms >= claims.exp * 1_000 + self.leeway_ms {
            return Err(AuthReason::Expired);
        }
        let begins = claims.nbf.max(claims.iat).unwrap_or(0);
        if now_ms + self.leeway_ms < begins.saturating_mul(1_000) {
            return Err(AuthReason::NotYetValid);
        }
        Ok(())
    }
}

impl Claims {
    /// Of a token that this server issues itself: for a login, or for a guest, who has none.
    pub(super) fn of_ours(
        user: &User,
        session: Option<&SessionId>,
        now_s: u64,
        exp: u64,
        rules: &Rules,
    ) -> Self {
        Self {
            sub: user.user_id.as_str().to_owned(),
            exp,
            iat: Some(now_s),
            nbf: None,
            iss: Some(BUILT_IN_ISSUER.to_owned()),
            aud: rules.audience.clone().map(|audience| Audience(vec![audience])),
            sid: session.map(|session| session.as_str().to_owned()),
            name: Some(user.name.clone()),
            role: Some(user.role.as_str().to_owned()),
            permissions: Some(user.permissions.clone()).filter(|held| !held.is_empty()),
        }
    }

    /// Of a token that the configured secret signs for somebody without an account here.
    pub(super) fn of_elsewhere(user: &User, now_s: u64, exp: u64, rules: &Rules) -> Self {
        Self {
            iss: rules.issuer.clone(),
            ..Self::of_ours(user, None, now_s, exp, rules)
        }
    }

    /// Whether a built-in account's login made this token: such users are keyed apart from all others.
    pub(super) fn is_built_in(&self) -> bool {
        self.iss.as_deref() == Some(BUILT_IN_ISSUER)
    }

    pub(super) fn into_identity(self) -> Result<Identity, AuthReason> {
        let role = match self.role.as_deref() {
            Some(name) => Role::parse(name).ok_or(AuthReason::Malformed)?,
            None => Role::default(),
        };
        let session = self
            .sid
            .as_deref()
            .filter(|_| self.iss.as_deref() == Some(BUILT_IN_ISSUER));
        let grant = Grant {
            issuer: Arc::from(self.iss.as_deref().unwrap_or(ANY_ISSUER)),
            role,
            session: session.map(SessionId::new),
        };
        let name = self.name.filter(|name| !name.trim().is_empty());
        Ok(Identity {
            user: User {
                user_id: UserId::new(&self.sub),
                name: name.unwrap_or(self.sub).chars().take(NAME_CHARACTERS).collect(),
                role,
                permissions: self.permissions.unwrap_or_default(),
            },
            expires_at_ms: Some(self.exp * 1_000),
            grant,
        })
    }
}

/// The claim `aud`: a text or a list of texts (RFC 7519 §4.1.3).
#[derive(Debug, Serialize)]
struct Audience(Vec<String>);

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Audience, E> {
                Ok(Audience(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Audience, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                Ok(Audience(all))
            }
        }

        deserializer.deserialize_any(Names)
    }
}

//! `GET /api/v1/auth/me`: who the token speaks for (SPEC §2).

use axum::Json;
use bmt_shared::identity::User;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Caller;
use crate::http::openapi::wire;

/// Who the token speaks for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Me {
    #[schema(value_type = wire::User)]
    user: User,
    /// When the token ends, ms since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

pub(super) async fn get(Caller(identity): Caller) -> Json<Me> {
    Json(Me {
        user: identity.user,
        expires_at: identity.expires_at_ms,
    })
}

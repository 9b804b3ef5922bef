//! `/api/v1/files`: what people upload, and how it is shown to others (SPEC §8).

mod arriving;
mod served;
mod upload;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Json, Router};
use bmt_shared::error::ErrorCode;
use bmt_shared::identity::Role;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(in crate::http) use served::Asked;

use crate::clock;
use crate::files::{FileError, StoredFile};
use crate::http::body::Query;
use crate::http::control::Control;
use crate::http::{Caller, Refusal, access, paging, refusal};

/// Files of a page where nothing is said.
const PAGE: usize = 50;
/// Most files of a page.
const PAGE_MAX: usize = 200;
/// When to come again where all places of uploads are taken, ms.
const BUSY_RETRY_MS: u64 = 2_000;
/// When to come again where the disk is full or the server stops, ms.
const LATER_RETRY_MS: u64 = 30_000;
/// What an address takes as it is (RFC 3986: unreserved).
const ADDRESS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What owners do with their files.
pub(super) fn router(control: &Control) -> Router<Control> {
    Router::new()
        .route("/files", get(list))
        .route("/files/{id}", get(one))
        .route("/files/{id}", watched(control, "file.delete", delete(remove)))
}

/// The routes that pages ask for many files at once.
pub(super) fn served() -> Router<Control> {
    Router::new()
        .route("/files/{id}/{name}", get(served::file))
        .route("/files/{id}/{name}/thumbnail", get(served::thumbnail))
}

/// The route that takes as long as a file takes to arrive: no time limit for requests lies around it, only its own.
pub(in crate::http) fn uploads(control: &Control) -> Router {
    Router::new()
        .route(
            "/files/upload",
            watched(control, "file.upload", post(upload::post)),
        )
        .method_not_allowed_fallback(refusal::method_not_allowed)
        .with_state(control.clone())
}

fn watched(control: &Control, act: &'static str, route: MethodRouter<Control>) -> MethodRouter<Control> {
    route.layer(from_fn_with_state((control.clone(), act), access::watch_act))
}

/// A file that is kept.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Uploaded {
    id: String,
    /// Where it is read, by whoever has the address; relative to this server.
    url: String,
    /// As it is shown and downloaded.
    name: String,
    /// Bytes.
    size: u64,
    /// By its first bytes.
    mime: String,
    /// Of an image, pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Of an image, pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// Of a larger image.
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail_url: Option<String>,
    /// ms since the Unix epoch.
    created_at: u64,
}

impl Uploaded {
    pub(in crate::http) fn of(control: &Control, file: &StoredFile) -> Self {
        let base = control.node.base_path();
        let link = control.node.files.link(&file.id, clock::unix_ms());
        let path = format!(
            "{base}/api/v1/files/{}/{}",
            file.id,
            utf8_percent_encode(&file.name, ADDRESS)
        );
        Self {
            id: file.id.clone(),
            url: format!("{path}?link={link}"),
            name: file.name.clone(),
            size: file.size,
            mime: file.mime.clone(),
            width: file.width,
            height: file.height,
            thumbnail_url: file
                .thumbnail_mime
                .is_some()
                .then(|| format!("{path}/thumbnail?link={link}")),
            created_at: file.created_ms,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// The next page: what the last one named as `nextCursor`.
    cursor: Option<String>,
    /// Most files, 1–200; 50 where nothing is said.
    limit: Option<usize>,
}

/// The caller's files, the newest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Own {
    files: Vec<Uploaded>,
    /// The next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// How many there are.
    total: u64,
    /// Bytes of all of them, thumbnails included.
    bytes: u64,
}

async fn list(
    State(control): State<Control>,
    Caller(identity): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Own>, Refusal> {
    let limit = paging::limit(wanted.limit, PAGE, PAGE_MAX)?;
    let (files, user) = (&control.node.files, &identity.user.user_id);
    let usage = files.usage(user).await?;
    let mut page = files.of_user(user, wanted.cursor, limit + 1).await?;
    let next_cursor = paging::cut(&mut page, limit, |last| last.id.clone());
    Ok(Json(Own {
        files: page.iter().map(|file| Uploaded::of(&control, file)).collect(),
        next_cursor,
        total: usage.files,
        bytes: usage.bytes,
    }))
}

async fn one(
    State(control): State<Control>,
    Caller(identity): Caller,
    Path(id): Path<String>,
) -> Result<Json<Uploaded>, Refusal> {
    let file = control.node.files.get(&id).await?;
    if file.owner != identity.user.user_id && identity.user.role != Role::Admin {
        return Err(FileError::Unknown.into());
    }
    Ok(Json(Uploaded::of(&control, &file)))
}

async fn remove(
    State(control): State<Control>,
    Caller(identity): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let user = identity.user;
    let owner = (user.role != Role::Admin).then_some(user.user_id);
    control.node.files.delete(&id, owner).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        let told = error.to_string();
        match error {
            FileError::TooLarge(_) | FileError::TooManyPixels(..) => {
                Self::new(ErrorCode::MessageTooLarge, told)
            }
            FileError::Damaged(_) => Self::new(ErrorCode::InvalidMessage, told),
            FileError::Full(..) => Self::new(ErrorCode::InvalidOperation, told),
            FileError::Busy { .. } => Self::new(ErrorCode::RateLimited, told).retry_after(BUSY_RETRY_MS),
            FileError::NoRoom => Self::new(ErrorCode::ServerError, told)
                .with_status(StatusCode::INSUFFICIENT_STORAGE)
                .retry_after(LATER_RETRY_MS),
            FileError::Unknown => Self::not_found(told),
            FileError::Closed => Self::new(ErrorCode::ServerError, told)
                .unavailable()
                .retry_after(LATER_RETRY_MS),
            FileError::Io(_) | FileError::Sql(_) => {
                Self::incident("a file could not be kept or read", &error)
            }
        }
    }
}

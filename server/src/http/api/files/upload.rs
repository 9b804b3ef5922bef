//! `POST /api/v1/files/upload`: a form with one file in the field `file`.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bmt_shared::error::ErrorCode;
use bmt_shared::identity::{Role, User};
use multer::{Field, Multipart};
use tokio::time::timeout;

use super::Uploaded;
use super::arriving::{Arriving, Left, Stopped};
use crate::clock;
use crate::files::{Described, FileError, Incoming, StoredFile};
use crate::http::access::Audited;
use crate::http::control::Control;
use crate::http::{Caller, Refusal};

/// The field of the form.
const FIELD: &str = "file";
/// An upload of which nothing comes for so long is given up.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// An upload may take so long, and the time of its limit at this rate besides: a slow phone gets through, and whoever
/// sends a byte now and then does not hold a place for ever.
const BASE_LIMIT: Duration = Duration::from_secs(60);
const BYTES_PER_SECOND: u64 = 16 * 1_024;
/// What a form may have around its file.
const FORM_BYTES: u64 = 64 * 1_024;

pub(super) async fn post(
    State(control): State<Control>,
    Caller(identity): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let meters = control.figures.meters();
    let mut arriving = Arriving::new(body);
    match receive(&control, &identity.user, &headers, &mut arriving).await {
        Ok(file) => {
            meters.uploads.add(1);
            meters.upload_bytes.add(file.size);
            let audited = Audited::target(file.id.clone());
            Ok(audited.on((StatusCode::CREATED, Json(Uploaded::of(&control, &file)))))
        }
        Err(refusal) => {
            meters.upload_failures.add(1);
            // Whoever waits for a word before sending has it now.
            if !headers.contains_key(header::EXPECT) {
                arriving.linger().await;
            }
            Err(refusal)
        }
    }
}

async fn receive(
    control: &Control,
    user: &User,
    headers: &HeaderMap,
    arriving: &mut Arriving,
) -> Result<StoredFile, Refusal> {
    let node = &control.node;
    if user.role == Role::Guest && !node.current().config.files.guests {
        let message = "Guests may not upload files here. Log in, or register an account.";
        return Err(Refusal::new(ErrorCode::PermissionDenied, message));
    }
    let boundary = boundary(headers)?;
    let expected = length(headers).saturating_sub(FORM_BYTES);
    let incoming = node.files.receive(&user.user_id, expected).await?;
    let left = arriving.left();
    let form = Multipart::new(arriving, boundary);
    let limit = BASE_LIMIT + Duration::from_secs(node.current().config.files.max_bytes / BYTES_PER_SECOND);
    tokio::select! {
        read = timeout(limit, read(form, &left, incoming)) => {
            let (incoming, described) = read.map_err(|_| too_slow())??;
            Ok(incoming.finish(described, clock::unix_ms()).await?)
        }
        () = node.shutdown.begun() => Err(FileError::Closed.into()),
    }
}

/// Takes the file out of the form.
async fn read(
    mut form: Multipart<'_>,
    left: &Left,
    mut incoming: Incoming,
) -> Result<(Incoming, Described), Refusal> {
    let mut found = None;
    while let Some(mut field) = soon(form.next_field()).await? {
        if field.name() != Some(FIELD) {
            // What else a form holds is passed over; there cannot be much of it.
            while soon(field.chunk()).await?.is_some() {}
            continue;
        }
        if found.is_some() {
            let message = "The form has two files. Send each with a request of its own.";
            return Err(Refusal::new(ErrorCode::InvalidMessage, message));
        }
        left.file_begins();
        found = Some(described(&field));
        while let Some(bytes) = soon(field.chunk()).await? {
            incoming.write(&bytes).await?;
        }
        left.file_ended();
    }
    found.map(|described| (incoming, described)).ok_or_else(|| {
        let message = "The form has no field `file`. Send the file in a field of that name.";
        Refusal::new(ErrorCode::InvalidMessage, message)
    })
}

fn described(field: &Field<'_>) -> Described {
    Described {
        // Browsers write a quotation mark so, and nothing else.
        name: field.file_name().map(|name| name.replace("%22", "\"")),
        mime: field.content_type().map(|mime| mime.essence_str().to_owned()),
    }
}

/// The next of the form, where it comes in time.
async fn soon<T>(next: impl Future<Output = multer::Result<T>>) -> Result<T, Refusal> {
    let arrived = timeout(IDLE_LIMIT, next).await.map_err(|_| too_slow())?;
    arrived.map_err(|error| {
        let what = match &error {
            multer::Error::StreamReadFailed(why) => why.downcast_ref::<Stopped>().map(Stopped::to_string),
            _ => None,
        };
        let what = what
            .unwrap_or_else(|| "its parts are not divided as its headers say, or it ends too early".into());
        Refusal::new(
            ErrorCode::InvalidMessage,
            format!("The form cannot be read: {what}. Send it again, as `multipart/form-data`."),
        )
    })
}

fn too_slow() -> Refusal {
    let message = "The file did not arrive in time. Check the connection and send it again.";
    Refusal::new(ErrorCode::InvalidMessage, message).with_status(StatusCode::REQUEST_TIMEOUT)
}

fn boundary(headers: &HeaderMap) -> Result<String, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    multer::parse_boundary(kind).map_err(|error| match error {
        multer::Error::NoBoundary => Refusal::new(
            ErrorCode::InvalidMessage,
            "`Content-Type` names no boundary. Let the library that makes the form write this header.",
        ),
        _ => Refusal::new(
            ErrorCode::InvalidMessage,
            "A file is sent as `multipart/form-data`, in the field `file`.",
        )
        .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
    })
}

/// How long the body is, as far as that is told; how long it is indeed shows as it comes.
fn length(headers: &HeaderMap) -> u64 {
    let told = headers.get(header::CONTENT_LENGTH);
    let told = told.and_then(|told| told.to_str().ok()?.parse().ok());
    told.unwrap_or_default()
}

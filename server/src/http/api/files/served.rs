//! A file as others see it. Whatever it is, nothing in it runs here: only media are shown in their place, everything
//! else is saved; what is shown is never taken for something else, and has neither scripts nor an origin (FAULTS 59).

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bmt_shared::error::ErrorCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tower_http::services::ServeFile;
use utoipa::IntoParams;

use crate::clock;
use crate::files::{FileError, StoredFile};
use crate::http::Refusal;
use crate::http::body::Query;
use crate::http::control::Control;

/// What is no media is bytes and nothing else.
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Enough for a picture or a film that is opened by its own address; a page would get nothing, and `sandbox` gives it
/// no origin.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);
/// The bytes behind an address never change. A day, so that what is deleted does not stay long where it was seen.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=86400, immutable");
const CROSS_ORIGIN_RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// What stands in a header's `filename*` as it is (RFC 5987: `attr-char`).
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Asked {
    /// The signature.
    #[serde(default)]
    link: String,
    /// To save what could be shown.
    download: Option<String>,
}

pub(super) async fn file(
    State(control): State<Control>,
    Path((id, _name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Result<Response, Refusal> {
    let file = find(&control, &id, &asked).await?;
    let is_shown = file.is_media() && asked.download.is_none();
    let kind = match file.is_media() {
        true => HeaderValue::from_str(&file.mime).expect("media have names of letters"),
        false => BYTES,
    };
    let disposition = if is_shown { "inline" } else { "attachment" };
    let path = control.node.files.path(&file);
    serve(&control, request, path, kind, &named(disposition, &file.name)).await
}

pub(super) async fn thumbnail(
    State(control): State<Control>,
    Path((id, _name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Result<Response, Refusal> {
    let file = find(&control, &id, &asked).await?;
    let mime = file.thumbnail_mime.as_deref().ok_or(FileError::Unknown)?;
    let kind = HeaderValue::from_str(mime).expect("media have names of letters");
    let path = control.node.files.thumbnail_path(&file);
    serve(&control, request, path, kind, "inline").await
}

async fn find(control: &Control, id: &str, asked: &Asked) -> Result<StoredFile, Refusal> {
    let files = &control.node.files;
    if !files.link_holds(id, &asked.link, clock::unix_ms()) {
        let message =
            "This address of a file is not whole, or it has ended. Get it anew from where it was sent.";
        return Err(Refusal::new(ErrorCode::PermissionDenied, message));
    }
    Ok(files.get(id).await?)
}

/// Answers with the bytes, or a part of them, or that they are known already.
async fn serve(
    control: &Control,
    mut request: Request,
    path: PathBuf,
    kind: HeaderValue,
    disposition: &str,
) -> Result<Response, Refusal> {
    let failed = |error: std::io::Error| Refusal::incident("a file could not be read", &error);
    let mut bytes = ServeFile::new(path).ignore_multi_range_requests(true);
    // A part is for whoever has another part of the same; what else is asked with `If-Range` is all of it.
    if let Some(known) = request.headers().get(header::IF_RANGE) {
        let head = Request::builder().method(Method::HEAD).body(Body::empty());
        let whole = bytes.try_call(head.expect("a request of nothing"));
        let whole = whole.await.map_err(failed)?;
        if whole.headers().get(header::ETAG) != Some(known) {
            request.headers_mut().remove(header::RANGE);
        }
    }
    let answer = bytes.try_call(request).await.map_err(failed)?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Err(FileError::Unknown.into());
    }
    let mut answer = answer.map(Body::new);
    let headers = answer.headers_mut();
    let is_for_all = !control.node.current().config.http.allowed_origins.is_empty();
    let reach = if is_for_all { "cross-origin" } else { "same-origin" };
    let named = HeaderValue::from_str(disposition).expect("a name is written in ASCII");
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, named),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, CACHE),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (CROSS_ORIGIN_RESOURCE, HeaderValue::from_static(reach)),
    ] {
        headers.insert(name, value);
    }
    Ok(answer)
}

/// `Content-Disposition` (RFC 6266): the name in ASCII for old programs, and as it is (RFC 5987).
fn named(disposition: &str, name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|letter| match letter {
            '"' | '\\' | '%' => '_',
            ' '..='~' => letter,
            _ => '_',
        })
        .collect();
    let exact = utf8_percent_encode(name, ATTRIBUTE);
    format!("{disposition}; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FAULTS 58.
    #[test]
    fn a_name_stays_in_its_place_in_the_header() {
        for (name, expected) in [
            ("a b.txt", "x; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
            (
                "ü\"\\%.é",
                "x; filename=\"____._\"; filename*=UTF-8''%C3%BC%22%5C%25.%C3%A9",
            ),
            ("a\r\nb", "x; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab"),
            ("a';b", "x; filename=\"a';b\"; filename*=UTF-8''a%27%3Bb"),
        ] {
            assert_eq!(named("x", name), expected);
        }
    }
}

//! Files: users send and keep them, whoever has an address reads.

use bmt_shared::error::ErrorCode::{InvalidOperation, PermissionDenied, RateLimited, ServerError};
use serde_json::{Value, json};

use super::{Caller, Content, Operation, on};
use crate::http::api::files;

pub(super) fn operations() -> Vec<Operation> {
    let kept = [
        on(
            "POST",
            "/files/upload",
            "files",
            "Upload a file, as a form of a browser does",
        )
        .of(Caller::User)
        .takes_form("file", "The file, of `files.max_bytes` at most.")
        .gives_as::<files::Uploaded>(201, "Kept.", file())
        .fails(PermissionDenied)
        .fails(InvalidOperation)
        .fails(RateLimited)
        .fails_as(507, ServerError),
        on("GET", "/files", "files", "The own files, the newest first")
            .of(Caller::User)
            .asks::<files::Wanted>()
            .gives::<files::Own>(
                "A page of files.",
                json!({"files": [file()], "total": 1, "bytes": 184_320, "nextCursor": "f_8TcX"}),
            ),
        on("GET", "/files/{id}", "files", "One of the own files")
            .of(Caller::User)
            .gives::<files::Uploaded>("The file.", file())
            .fails_as(404, InvalidOperation),
        on("DELETE", "/files/{id}", "files", "Delete one of the own files")
            .of(Caller::User)
            .done("Its addresses lead nowhere any more.")
            .fails_as(404, InvalidOperation),
    ];
    let read = [
        ("/files/{id}/{name}", "The bytes of a file, by its signed address"),
        (
            "/files/{id}/{name}/thumbnail",
            "A small picture of an image, by its signed address",
        ),
    ];
    let read = read.map(|(path, summary)| {
        on("GET", path, "files", summary)
            .asks::<files::Asked>()
            .given(200, "All of it.", Content::File("*/*"))
            .given(206, "The part that `Range` asked for.", Content::File("*/*"))
            .given(304, "The caller has it already.", Content::Nothing)
            .given(416, "There is no such part.", Content::Nothing)
            .fails(PermissionDenied)
            .fails_as(404, InvalidOperation)
    });
    kept.into_iter().chain(read).collect()
}

fn file() -> Value {
    json!({
        "id": "f_8TcX",
        "url": "/api/v1/files/f_8TcX/garden.jpg?link=0.Zk3v0aQ2Hc9x",
        "name": "garden.jpg",
        "size": 180_224,
        "mime": "image/jpeg",
        "width": 1_600,
        "height": 1_200,
        "thumbnailUrl": "/api/v1/files/f_8TcX/garden.jpg/thumbnail?link=0.Zk3v0aQ2Hc9x",
        "createdAt": 1_790_000_000_000_u64,
    })
}

//! `POST /api/v1/files/upload`: forms that are too large, too many, too slow or none, and what is left of them.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::forms::{BOUNDARY, Raw, UPLOAD, form, on_disk, part, send, send_form, token, until, upload};
use crate::members::person;
use crate::server::{TestServer, refused};

const MOST: usize = 100_000;

async fn small() -> TestServer {
    TestServer::start_with(|config| {
        config.files.max_bytes = MOST as u64;
        config.files.free_bytes = 0;
    })
    .await
}

/// Nothing is kept, nothing is on its way, and the server takes the next.
async fn nothing_is_left(server: &TestServer) {
    until("what was refused is gone from the disk", || {
        on_disk(server).is_empty()
    })
    .await;
    let taken = upload(server, "next", "a.txt", b"words").await;
    let request = server.delete(&format!("/api/v1/files/{}", taken["id"].as_str().unwrap()));
    let gone = request.bearer_auth(token("next")).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert!(on_disk(server).is_empty());
}

/// FAULTS 57.
#[tokio::test]
async fn a_file_of_just_the_limit_is_taken_and_one_byte_more_is_not() {
    let server = small().await;
    let most = upload(&server, "ann", "most", &vec![1; MOST]).await;
    assert_eq!(most["size"], json!(MOST));
    server
        .delete(&format!("/api/v1/files/{}", most["id"].as_str().unwrap()))
        .bearer_auth(token("ann"))
        .send()
        .await
        .unwrap();
    for more in [1, 200_000] {
        let answer = send(&server, "ann", "more", "a/b", &vec![1; MOST + more]).await;
        let told = refused(answer, 413, "message_too_large").await;
        assert!(told.contains("100000 bytes"), "{told}");
    }
    nothing_is_left(&server).await;
    server.stop().await;
}

/// FAULTS 57.
#[tokio::test]
async fn a_body_that_is_not_as_long_as_it_says_leaves_nothing() {
    let server = small().await;
    let whole = form(&[part("file", b"a", "a/b", &[1; 50_000])]);
    // Longer than it is: the rest never comes.
    let mut long = Raw::open(
        &server,
        "ann",
        &format!("Content-Length: {}\r\n", whole.len() + 9),
    )
    .await;
    assert!(long.write(&whole[..30_000]).await);
    until("it arrives", || !on_disk(&server).is_empty()).await;
    long.end().await;
    let answer = long.answer().await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    // Shorter: what follows is no second request, and no file.
    let mut short = Raw::open(&server, "ann", "Content-Length: 20000\r\n").await;
    short.write(&whole).await;
    let answer = short.answer().await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    // So long that nothing of it needs to come.
    let huge = Raw::open(
        &server,
        "ann",
        "Content-Length: 99999999999\r\nExpect: 100-continue\r\n",
    )
    .await;
    let answer = huge.answer().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let both = Raw::open(
        &server,
        "ann",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    )
    .await;
    let mut both = both;
    both.write(b"0\r\n\r\n").await;
    let answer = both.answer().await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    nothing_is_left(&server).await;
    server.stop().await;
}

/// FAULTS 57.
#[tokio::test]
async fn a_body_without_an_end_is_refused_at_the_limit() {
    let server = small().await;
    let mut raw = Raw::open(&server, "ann", "Transfer-Encoding: chunked\r\n").await;
    let opening = part("file", b"endless", "a/b", b"");
    assert!(raw.write_chunk(&opening[..opening.len() - 2]).await);
    let began = Instant::now();
    // Somebody who goes on for ever is read for a moment, then cut off.
    while raw.write_chunk(&[7; 10_000]).await {
        assert!(began.elapsed() < Duration::from_secs(20), "it is still read");
    }
    nothing_is_left(&server).await;
    // Somebody who listens hears why.
    let mut raw = Raw::open(&server, "ann", "Transfer-Encoding: chunked\r\n").await;
    assert!(raw.write_chunk(&opening[..opening.len() - 2]).await);
    for _ in 0..20 {
        assert!(raw.write_chunk(&[7; 10_000]).await);
    }
    assert!(raw.write(b"0\r\n\r\n").await);
    let answer = raw.answer().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    nothing_is_left(&server).await;
    server.stop().await;
}

/// Forms that nobody fills in.
fn odd_forms() -> Vec<(&'static str, Vec<u8>)> {
    let file = part("file", b"a", "a/b", b"words");
    let many: Vec<_> = (0..10_000)
        .map(|at| part(&format!("f{at}"), b"", "a/b", b""))
        .collect();
    let long = part(
        "file",
        b"a",
        &format!("a/b\r\nX-Long: {}", "x".repeat(64 * 1_024)),
        b"words",
    );
    let headers = part(
        "file",
        b"a",
        &format!("a/b{}", "\r\nX-One: 1".repeat(200)),
        b"words",
    );
    let unfinished = file.clone();
    let endless_name = part(&"n".repeat(64 * 1_024), b"", "a/b", b"");
    let before = [
        b"x".repeat(64 * 1_024),
        b"\r\n".to_vec(),
        form(std::slice::from_ref(&file)),
    ]
    .concat();
    vec![
        ("ten thousand parts", form(&many)),
        (
            "ten thousand parts behind the file",
            form(&[vec![file.clone()], many.clone()].concat()),
        ),
        ("a header of 64 KiB", form(&[long])),
        ("two hundred headers", form(&[headers])),
        ("a name of 64 KiB", form(&[endless_name])),
        ("no end", unfinished),
        (
            "another boundary",
            b"--other\r\n\r\nwords\r\n--other--\r\n".to_vec(),
        ),
        ("much before the first part", before),
        ("nothing", Vec::new()),
        ("no part", form(&[])),
        ("another field", form(&[part("picture", b"a", "a/b", b"words")])),
        ("two files", form(&[file.clone(), file.clone()])),
    ]
}

/// FAULTS 57.
#[tokio::test]
async fn forms_that_are_more_frame_than_file_are_refused() {
    // With the usual limit: what is told here is not that they are long.
    let server = TestServer::start_with(|config| config.files.free_bytes = 0).await;
    for (what, form) in odd_forms() {
        let answer = send_form(&server, "ann", form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{what}");
        refused(answer, 400, "invalid_message").await;
    }
    let file = part("file", b"a", "a/b", b"words");
    for (kind, status) in [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("application/json", 415),
        ("text/plain; boundary=x", 415),
    ] {
        let request = server
            .post(UPLOAD)
            .bearer_auth(token("ann"))
            .header("content-type", kind);
        let answer = request
            .body(form(std::slice::from_ref(&file)))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{kind}");
    }
    nothing_is_left(&server).await;
    let with_fields = form(&[part("note", b"", "text/plain", b"hello"), file]);
    let taken = send_form(&server, "ann", with_fields).await;
    assert_eq!(
        taken.status(),
        StatusCode::CREATED,
        "a form may have other fields"
    );
    server.stop().await;
}

#[tokio::test]
async fn who_may_not_upload_is_told_before_the_file_is_read() {
    let server = small().await;
    let file = form(&[part("file", b"a", "a/b", b"words")]);
    let guest = person("visitor", &json!({"role": "guest"}));
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = server
        .post(UPLOAD)
        .bearer_auth(guest)
        .header("content-type", kind.clone());
    refused(
        request.body(file.clone()).send().await.unwrap(),
        403,
        "permission_denied",
    )
    .await;
    let request = server.post(UPLOAD).header("content-type", kind);
    refused(
        request.body(file).send().await.unwrap(),
        401,
        "authentication_failed",
    )
    .await;
    nothing_is_left(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn uploads_are_so_many_at_a_time_and_one_that_breaks_off_gives_its_place_back() {
    let server = TestServer::start_with(|config| {
        config.files.uploads = 2;
        config.files.uploads_per_user = 1;
        config.files.free_bytes = 0;
    })
    .await;
    let mut held = Vec::new();
    for (at, who) in ["ann", "bob"].into_iter().enumerate() {
        let mut raw = Raw::open(&server, who, "Transfer-Encoding: chunked\r\n").await;
        assert!(raw.write_chunk(&part("file", b"a", "a/b", &[1; 20_000])).await);
        until("it arrives", || on_disk(&server).len() == at + 1).await;
        held.push(raw);
    }
    let told = refused(
        send(&server, "ann", "b", "a/b", b"words").await,
        429,
        "rate_limited",
    )
    .await;
    assert!(told.contains("of your uploads"), "{told}");
    let told = refused(
        send(&server, "cat", "b", "a/b", b"words").await,
        429,
        "rate_limited",
    )
    .await;
    assert!(!told.contains("of your uploads"), "{told}");
    drop(held);
    until("places are free", || on_disk(&server).is_empty()).await;
    upload(&server, "ann", "b", b"words").await;
    server.stop().await;
}

#[tokio::test]
async fn quotas_are_told_with_what_to_do() {
    let server = TestServer::start_with(|config| {
        config.files.user_bytes = 10;
        config.files.free_bytes = 0;
    })
    .await;
    upload(&server, "ann", "a", b"12345678").await;
    let answer = send(&server, "ann", "b", "a/b", b"123").await;
    let told = refused(answer, 409, "invalid_operation").await;
    assert!(told.contains("Delete some"), "{told}");
    upload(&server, "bob", "b", b"123").await;
    server.stop().await;
}

/// FAULTS 62.
#[tokio::test]
async fn where_the_disk_has_no_room_to_spare_files_wait_and_messages_flow() {
    let server = TestServer::start_with(|config| config.files.free_bytes = u64::MAX >> 1).await;
    let answer = send(&server, "ann", "a", "a/b", b"words").await;
    assert!(answer.headers().contains_key("retry-after"));
    let told = refused(answer, 507, "server_error").await;
    assert!(told.contains("Messages still work"), "{told}");
    assert!(on_disk(&server).is_empty());
    let root = person("root", &json!({"role": "admin"}));
    let message = json!({"topic": "public:general", "payload": "still here"});
    let request = server.post("/api/v1/publish").bearer_auth(root).json(&message);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_an_upload() {
    let server = small().await;
    let mut raw = Raw::open(&server, "ann", "Transfer-Encoding: chunked\r\n").await;
    assert!(raw.write_chunk(&part("file", b"a", "a/b", &[1; 20_000])).await);
    until("it arrives", || !on_disk(&server).is_empty()).await;
    server.node().shutdown.begin();
    assert!(raw.write(b"0\r\n\r\n").await);
    let answer = timeout(Duration::from_secs(8), raw.answer()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn uploads_and_what_becomes_of_them_are_counted_and_written_down() {
    let server = small().await;
    let taken = upload(&server, "ann", "a.txt", b"words").await;
    send(&server, "ann", "a.png", "image/png", b"\x89PNG\r\n\x1a\n").await;
    let id = taken["id"].as_str().unwrap();
    let denied = server
        .delete(&format!("/api/v1/files/{id}"))
        .bearer_auth(token("eve"));
    refused(denied.send().await.unwrap(), 404, "invalid_operation").await;
    let root = person("root", &json!({"role": "admin"}));
    let audit = server.get("/api/v1/audit?limit=50").bearer_auth(root.clone());
    let audit: Value = audit.send().await.unwrap().json().await.unwrap();
    let rows: Vec<_> = audit["entries"].as_array().unwrap().iter().collect();
    let row = |act: &str, status: u16| {
        rows.iter()
            .any(|row| row["act"] == act && row["status"] == status)
    };
    assert!(
        row("file.upload", 201) && row("file.upload", 400) && row("file.delete", 404),
        "{audit}"
    );
    let kept = rows.iter().find(|row| row["status"] == 201).unwrap();
    assert_eq!(kept["target"], json!(id));
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    for line in [
        "bmt_files 1",
        "bmt_file_bytes 5",
        "bmt_uploads_total 1",
        "bmt_upload_bytes_total 5",
        "bmt_upload_failures_total 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    server.stop().await;
}

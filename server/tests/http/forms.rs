//! The one place that knows how a form with a file is written, the odd ones too.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::members::person;
use crate::server::TestServer;

pub(crate) const BOUNDARY: &str = "----the-boundary-of-these-tests";
pub(crate) const UPLOAD: &str = "/api/v1/files/upload";

/// A user of an own back end.
pub(crate) fn token(id: &str) -> String {
    person(id, &json!({}))
}

/// One part, its name written as it is.
pub(crate) fn part(field: &str, name: &[u8], mime: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"");
    let kind = format!("\"\r\nContent-Type: {mime}\r\n\r\n");
    [head.as_bytes(), name, kind.as_bytes(), bytes, b"\r\n"].concat()
}

pub(crate) fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut form = parts.concat();
    form.extend(format!("--{BOUNDARY}--\r\n").bytes());
    form
}

/// Sends a form with one file.
pub(crate) async fn send(server: &TestServer, who: &str, name: &str, mime: &str, bytes: &[u8]) -> Response {
    let form = form(&[part("file", name.as_bytes(), mime, bytes)]);
    send_form(server, who, form).await
}

pub(crate) async fn send_form(server: &TestServer, who: &str, form: Vec<u8>) -> Response {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = server
        .post(UPLOAD)
        .bearer_auth(token(who))
        .header("content-type", kind);
    request.body(form).send().await.unwrap()
}

/// The same, where it has to be taken.
pub(crate) async fn upload(server: &TestServer, who: &str, name: &str, bytes: &[u8]) -> Value {
    let response = send(server, who, name, "application/octet-stream", bytes).await;
    let (status, body) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, StatusCode::CREATED, "{name}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// The folder of the server's files.
pub(crate) fn folder(server: &TestServer) -> PathBuf {
    server.node().current().config.store.data_dir.join("files")
}

/// Every file in the folder of files, by its path in there.
pub(crate) fn on_disk(server: &TestServer) -> Vec<String> {
    let root = folder(server);
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(&root).unwrap().display().to_string());
            }
        }
    }
    found
}

/// Waits until this is so.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// An upload written by hand, byte for byte.
pub(crate) struct Raw(TcpStream);

impl Raw {
    /// Sends the head of an upload; `headers` say how long the body is.
    pub(crate) async fn open(server: &TestServer, who: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "POST {UPLOAD} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n{headers}\r\n",
            token(who)
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// Whether the server still takes it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// As a piece of a body without a told length.
    pub(crate) async fn write_chunk(&mut self, bytes: &[u8]) -> bool {
        let size = format!("{:x}\r\n", bytes.len());
        let chunk = [size.as_bytes(), bytes, b"\r\n"].concat();
        self.write(&chunk).await
    }

    /// Sends no more.
    pub(crate) async fn end(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// The answer as it came; empty where the connection was cut without one.
    pub(crate) async fn answer(mut self) -> String {
        let mut answer = Vec::new();
        let mut piece = [0; 4_096];
        let read = async {
            while let Ok(bytes @ 1..) = self.0.read(&mut piece).await {
                answer.extend(&piece[..bytes]);
                if answer.ends_with(b"}") {
                    break;
                }
            }
        };
        timeout(Duration::from_secs(15), read)
            .await
            .expect("an answer in time");
        String::from_utf8(answer).unwrap()
    }
}

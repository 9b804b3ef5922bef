//! A collector over https, as traces leave in production: who is not vouched for gets none of them.

use std::fs::File;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use reqwest::StatusCode;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::command::{Process, command};
use crate::key_sets_tls::Authority;

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// The head and the body of a request.
type Request = (String, Vec<u8>);

/// Takes spans over TLS, and remembers the requests.
#[derive(Clone, Default)]
struct Collector {
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Collector {
    /// Answers with its address.
    async fn listen(&self, acceptor: TlsAcceptor) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not trust the certificate hangs up.
                if let Ok(stream) = acceptor.accept(stream).await {
                    collector.take(stream).await;
                }
            }
        });
        format!("https://localhost:{port}")
    }

    async fn take(&self, mut stream: TlsStream<TcpStream>) {
        let mut request = Vec::new();
        let end = loop {
            if let Some(end) = end(&request) {
                break end;
            }
            if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8(request[..end].to_vec()).unwrap();
        let body = request[end..].to_vec();
        self.asked.lock().unwrap().push((head, body));
        let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        // Who has read enough hangs up.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

/// Where the body begins, once all of it is there.
fn end(request: &[u8]) -> Option<usize> {
    let end = request.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.split_once("\r\n").unwrap().0.parse().unwrap();
    (request.len() >= end + length).then_some(end)
}

/// A server process whose machine trusts this authority; its address, and the folder with its log.
async fn exporting(trusted: &Authority, endpoint: &str) -> (Process, String, TempDir) {
    let dir = TempDir::new().unwrap();
    let roots = dir.path().join("roots.pem");
    std::fs::write(&roots, trusted.pem()).unwrap();
    let mut command = command(&["serve", "--dev", "--port", "0", "--data-dir"]);
    command.arg(dir.path().join("data"));
    command.stderr(Stdio::from(File::create(dir.path().join("log")).unwrap()));
    command
        .env("SSL_CERT_FILE", roots)
        .env("BMT_TELEMETRY__OTLP_ENDPOINT", endpoint);
    let launched = tokio::task::spawn_blocking(move || Process::launch(&mut command));
    let (process, lines) = launched.await.unwrap();
    let address = lines.last().unwrap().strip_prefix("listening on ").unwrap();
    (process, address.to_owned(), dir)
}

/// Asks for something that is a span.
async fn ask(address: &str) {
    let asked = reqwest::get(format!("{address}/api/v1/auth/me")).await.unwrap();
    assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
}

fn log(dir: &TempDir) -> String {
    std::fs::read_to_string(dir.path().join("log")).unwrap()
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        sleep(LOOK).await;
    }
}

#[tokio::test]
async fn traces_reach_a_collector_over_https_that_an_authority_of_this_machine_vouches_for() {
    let authority = Authority::new();
    let collector = Collector::default();
    let endpoint = collector.listen(authority.acceptor("localhost")).await;
    let (_process, address, dir) = exporting(&authority, &endpoint).await;
    ask(&address).await;
    until("the spans come", || !collector.asked().is_empty()).await;
    let (head, body) = collector.asked().remove(0);
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let export = ExportTraceServiceRequest::decode(&body[..]).unwrap();
    let scopes = export.resource_spans.into_iter().flat_map(|of| of.scope_spans);
    let names: Vec<String> = scopes.flat_map(|of| of.spans).map(|span| span.name).collect();
    assert_eq!(names, ["GET /api/v1/auth/me"]);
    let log = log(&dir);
    assert!(!log.contains("cannot be exported"), "{log}");
}

#[tokio::test]
async fn a_collector_that_nobody_vouches_for_gets_nothing_and_the_log_says_once_what_to_do() {
    let trusted = Authority::new();
    for (authority, name) in [(&Authority::new(), "localhost"), (&trusted, "otlp.example")] {
        let collector = Collector::default();
        let endpoint = collector.listen(authority.acceptor(name)).await;
        let (_process, address, dir) = exporting(&trusted, &endpoint).await;
        ask(&address).await;
        until("the log tells of it", || {
            log(&dir).contains("traces cannot be exported")
        })
        .await;
        ask(&address).await;
        let log = log(&dir);
        for part in [&endpoint, "invalid peer certificate", "SSL_CERT_FILE"] {
            assert!(log.contains(part), "{name}: {part}: {log}");
        }
        assert_eq!(log.matches("traces cannot be exported").count(), 1, "{log}");
        assert_eq!(collector.asked().len(), 0, "nothing is told to a stranger");
    }
}

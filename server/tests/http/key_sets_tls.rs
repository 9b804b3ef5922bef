//! The keys of others over https, as they are fetched in production: whose certificate is trusted is asked, and
//! nobody else (SPEC §2).

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::StatusCode;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::command::{Process, command};
use crate::key_sets::{set, token};
use crate::server::{TestServer, refused};

/// An authority that only these tests know.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// What a machine that trusts it has in its store.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's certificate for this name, ready to be used.
    pub(crate) fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// An address over https that answers with what it is told to and counts who asks.
struct Provider {
    url: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<String>>,
}

impl Provider {
    async fn start(acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/jwks", listener.local_addr().unwrap().port());
        let provider = Self {
            url,
            asked: Arc::default(),
            answer: Arc::default(),
        };
        provider.say("200 OK", "", &set(&["EdDSA"]));
        let (asked, answer) = (provider.asked.clone(), provider.answer.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not trust the certificate hangs up.
                if let Ok(stream) = acceptor.accept(stream).await {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let said = answer.lock().unwrap().clone();
                    respond(stream, &said).await;
                }
            }
        });
        provider
    }

    fn say(&self, status: &str, header: &str, body: &str) {
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status}\r\n{header}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn respond(mut stream: TlsStream<TcpStream>, answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
    }
    // Who has read enough hangs up.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A server process whose machine trusts this authority, and its address.
async fn process(trusted: &Authority, url: &str) -> (Process, String, TempDir) {
    let dir = TempDir::new().unwrap();
    let roots = dir.path().join("roots.pem");
    std::fs::write(&roots, trusted.pem()).unwrap();
    let data_dir = dir.path().join("data");
    let mut command = command(&["serve", "--dev", "--port", "0", "--data-dir"]);
    command.arg(data_dir).stderr(Stdio::null());
    command.env("SSL_CERT_FILE", roots).env("BMT_AUTH__JWKS_URL", url);
    let launched = tokio::task::spawn_blocking(move || Process::launch(&mut command));
    let (process, lines) = launched.await.unwrap();
    let address = lines.last().unwrap().strip_prefix("listening on ").unwrap();
    (process, address.to_owned(), dir)
}

async fn status(address: &str) -> StatusCode {
    let me = reqwest::Client::new().get(format!("{address}/api/v1/auth/me"));
    me.bearer_auth(token("EdDSA")).send().await.unwrap().status()
}

#[tokio::test]
async fn keys_are_read_over_https_from_whom_an_authority_of_this_machine_vouches_for() {
    let authority = Authority::new();
    let provider = Provider::start(authority.acceptor("localhost")).await;
    let (_process, address, _dir) = process(&authority, &provider.url).await;
    assert_eq!(status(&address).await, StatusCode::OK);
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_redirect_over_https_is_not_followed() {
    let authority = Authority::new();
    let elsewhere = Provider::start(authority.acceptor("localhost")).await;
    let provider = Provider::start(authority.acceptor("localhost")).await;
    provider.say("302 Found", &format!("location: {}\r\n", elsewhere.url), "");
    let (_process, address, _dir) = process(&authority, &provider.url).await;
    assert_eq!(status(&address).await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(provider.asked() > 0);
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn a_certificate_of_another_name_is_not_believed_whoever_vouches_for_it() {
    let authority = Authority::new();
    let provider = Provider::start(authority.acceptor("id.example")).await;
    let (_process, address, _dir) = process(&authority, &provider.url).await;
    assert_eq!(status(&address).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(provider.asked(), 0, "nothing is asked of a stranger");
}

#[tokio::test]
async fn who_is_vouched_for_by_nobody_is_not_asked_and_the_operator_is_told_what_to_do() {
    let provider = Provider::start(Authority::new().acceptor("localhost")).await;
    let url = provider.url.clone();
    let server = TestServer::start_with(|config| config.auth.jwks_url = url).await;
    let told = server.node().authenticator.reload_keys().await.unwrap_err();
    for part in [&provider.url, "invalid peer certificate", "SSL_CERT_FILE"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // It is no fault of the token: who has one is told to come again.
    let unjudged = server.me(&token("EdDSA")).await;
    assert!(unjudged.headers().contains_key("retry-after"));
    let text = refused(unjudged, 503, "server_error").await;
    assert!(text.contains("auth.jwks_url"), "{text}");
    assert_eq!(provider.asked(), 0);
    let login = server.login("alice").await;
    let me: Value = server.me(&login.access_token).await.json().await.unwrap();
    assert_eq!(
        me["user"]["userId"], login.user["userId"],
        "accounts are not concerned"
    );
    server.stop().await;
}

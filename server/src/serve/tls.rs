//! TLS ended by the server itself: certificate and key from two files, read again by a reload (SPEC §10).
//!
//! A connection keeps the certificate that it began with. Only HTTP/1.1 is offered: a WebSocket begins with it.

mod stream;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::stream::Accepted;
use crate::config::HttpConfig;
pub(super) use stream::Secured;

/// The only protocol that is offered (RFC 7301).
const HTTP_1: &[u8] = b"http/1.1";
/// The first byte of everything that a TLS client says first (RFC 8446 §5.1, a handshake record).
const HANDSHAKE: u8 = 0x16;
/// How long somebody who speaks without TLS may take to hear it.
const TURN_AWAY_LIMIT: Duration = Duration::from_secs(1);

const SPEAK_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
Content-Type: application/json\r\nContent-Length: 187\r\n\r\n\
{\"type\":\"error\",\"status\":\"error\",\"code\":\"invalid_protocol\",\
\"error\":\"This port speaks https. Ask with https:// or wss://.\",\
\"message\":\"This port speaks https. Ask with https:// or wss://.\"}";

/// Why a certificate and its key cannot be used.
#[derive(Debug)]
pub struct TlsError {
    setting: &'static str,
    path: PathBuf,
    why: String,
}

impl TlsError {
    fn new(setting: &'static str, path: &Path, why: impl fmt::Display) -> Self {
        Self {
            setting,
            path: path.to_owned(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`http.{}` ({}) cannot be used: {}. It must be PEM, and the certificate and the key must belong together.",
            self.setting,
            self.path.display(),
            self.why
        )
    }
}

impl std::error::Error for TlsError {}

/// A certificate chain and its key, checked and ready.
pub struct Certificate(Arc<ServerConfig>);

impl Certificate {
    /// Reads the two files that the configuration names; none where it names none.
    ///
    /// # Errors
    /// Where one cannot be read, or they do not belong together.
    pub fn read(config: &HttpConfig) -> Result<Option<Self>, TlsError> {
        let (cert, key) = (&config.tls_cert, &config.tls_key);
        if cert.as_os_str().is_empty() {
            return Ok(None);
        }
        let bad_cert = |why: &dyn fmt::Display| TlsError::new("tls_cert", cert, why);
        let bad_key = |why: &dyn fmt::Display| TlsError::new("tls_key", key, why);
        let chain = CertificateDer::pem_file_iter(cert).map_err(|error| bad_cert(&error))?;
        let chain: Vec<_> = chain
            .collect::<Result<_, _>>()
            .map_err(|error| bad_cert(&error))?;
        if chain.is_empty() {
            return Err(bad_cert(&"it holds no certificate"));
        }
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_key(&error))?;
        let versions = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has ciphers of both versions");
        let mut config = versions
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| bad_key(&error))?;
        config.alpn_protocols = vec![HTTP_1.to_vec()];
        Ok(Some(Self(Arc::new(config))))
    }
}

/// What a handshake came to.
pub(super) enum Greeted {
    /// It is done.
    Secured(Box<Secured>),
    /// It is not, and the peer is gone or was told why.
    Over,
}

/// The certificate that is shown to who connects now.
pub(super) struct Tls(ArcSwap<ServerConfig>);

impl Tls {
    pub(super) fn new(certificate: Certificate) -> Self {
        Self(ArcSwap::new(certificate.0))
    }

    /// Shows another certificate from now on.
    pub(super) fn show(&self, certificate: Certificate) {
        self.0.store(certificate.0);
    }

    /// Agrees with a peer on TLS, for so long at most. Somebody who asks in plain HTTP is told so.
    pub(super) async fn greet(&self, stream: Accepted, limit: Duration) -> io::Result<Greeted> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long");
        let handshake = async {
            let mut first = [0];
            let read = std::future::poll_fn(|cx| stream.poll_peek(cx, &mut ReadBuf::new(&mut first))).await?;
            if read == 0 {
                return Ok(Err(None));
            }
            if first[0] != HANDSHAKE {
                return Ok(Err(Some(stream)));
            }
            let acceptor = TlsAcceptor::from(self.0.load_full());
            acceptor.accept(stream).await.map(Ok)
        };
        match timeout(limit, handshake).await.map_err(|_| late())?? {
            Ok(stream) => Ok(Greeted::Secured(Box::new(Secured::new(stream)))),
            Err(None) => Ok(Greeted::Over),
            Err(Some(mut plain)) => {
                // Whoever does not listen has gone already.
                timeout(TURN_AWAY_LIMIT, async {
                    plain.write_all(SPEAK_HTTPS).await?;
                    plain.shutdown().await?;
                    // What was not read would take the answer away with it.
                    tokio::io::copy(&mut plain, &mut tokio::io::sink()).await
                })
                .await
                .map_err(|_| late())??;
                Ok(Greeted::Over)
            }
        }
    }
}

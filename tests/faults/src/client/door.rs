//! Where a client finds its server: a name or an address, a port, and whose certificates it believes there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

/// A connection, in the clear or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// See the [module](self). Clones are the same door.
#[derive(Clone)]
pub(crate) struct Door {
    host: Arc<Mutex<String>>,
    port: u16,
    /// Over TLS, and then with these authorities.
    tls: Option<Arc<ClientConfig>>,
}

impl Door {
    /// A server that is looked up by its name.
    pub(crate) fn named(host: &str, port: u16) -> Self {
        Self {
            host: Arc::new(Mutex::new(host.to_owned())),
            port,
            tls: None,
        }
    }

    /// The same over TLS, where this authority alone is believed.
    pub(crate) fn trusting(
        host: &str,
        port: u16,
        authority: CertificateDer<'static>,
    ) -> Result<Self, String> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority).map_err(|error| error.to_string())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Some(Arc::new(config)),
            ..Self::named(host, port)
        })
    }

    /// From now on the name is this one: a client's own resolver cannot be told what to find.
    pub(crate) fn rename(&self, host: &str) {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = host.to_owned();
    }

    /// Its address, with a scheme for what is spoken in the clear.
    pub(super) fn url(&self, scheme: &str) -> String {
        let secure = if self.tls.is_some() { "s" } else { "" };
        format!("{scheme}{secure}://{}:{}", self.host(), self.port)
    }

    /// Opens a WebSocket; the error is a sentence of whoever met it.
    pub(super) async fn open(&self, path_and_query: &str) -> Result<Socket, String> {
        let host = self.host();
        let request = format!("{}{path_and_query}", self.url("ws"))
            .into_client_request()
            .map_err(|error| error.to_string())?;
        let connected = TcpStream::connect((host.as_str(), self.port)).await;
        let connected = connected.map_err(|error| error.to_string())?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(connected),
            Some(config) => {
                let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
                let connecting = TlsConnector::from(config.clone()).connect(name, connected);
                Box::new(connecting.await.map_err(|error| error.to_string())?)
            }
        };
        let opened = client_async(request, stream).await;
        opened
            .map(|(socket, _)| socket)
            .map_err(|error| error.to_string())
    }

    fn host(&self) -> String {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<SocketAddr> for Door {
    fn from(address: SocketAddr) -> Self {
        Self::named(&address.ip().to_string(), address.port())
    }
}

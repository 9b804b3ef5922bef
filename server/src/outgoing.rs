//! What this server asks of others over HTTP: by the machine's own certificates, without redirects or proxies.

use std::error::Error;

use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Asks servers by http and https; `B` is what is sent.
pub(crate) type Client<B> = legacy::Client<HttpsConnector<HttpConnector>, B>;

/// A client that keeps at most so many idle connections to one server.
///
/// # Errors
/// Where the certificates of this machine cannot be read; a sentence says so.
pub(crate) fn client<B>(idle_connections: usize) -> Result<Client<B>, String>
where
    B: Body + Send,
    B::Data: Send,
{
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| format!("the certificates of this machine cannot be read: {error}"))?;
    let connector = tls.https_or_http().enable_http1().build();
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(idle_connections)
        .build(connector))
}

/// What went wrong, down to its cause: "client error (Connect)" alone helps nobody.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        if is_distrust(error) {
            text.push_str(
                ". This machine does not trust the certificate: correct the address, or have the authority that \
                 signed it in the machine's store or in the file that SSL_CERT_FILE names",
            );
        }
        cause = error.source();
    }
    text
}

/// Whether a peer's certificate was refused. I/O errors show what they wrap, and each other, not as their source.
fn is_distrust(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().is_some_and(|inner| is_distrust(inner)),
        None => matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))),
    }
}

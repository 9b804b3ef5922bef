//! What this server asks of others over HTTP: by the machine's own certificates, without redirects or proxies.

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
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

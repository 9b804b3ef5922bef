//! Getting a small document from a file or from one fixed address, within bounds.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri, header};

use crate::outgoing::{self, Client, chain};

/// From the name's look-up to the last byte.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Key sets have a few KiB.
const MOST_BYTES: usize = 256 * 1_024;

/// Asks one address. Redirects are not followed and proxies are not asked: the address is what was configured.
pub(super) struct Fetcher {
    address: Uri,
    client: Result<Client<Empty<Bytes>>, String>,
}

impl Fetcher {
    /// `address` was checked with the configuration.
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.parse().unwrap_or_default(),
            client: outgoing::client(0),
        }
    }

    pub(super) fn name(&self) -> String {
        self.address.to_string()
    }

    /// The document's bytes, or a sentence why not.
    pub(super) async fn get(&self) -> Result<Bytes, String> {
        let asked = tokio::time::timeout(TIME_LIMIT, self.ask());
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no whole answer within {} seconds", TIME_LIMIT.as_secs())),
        };
        answer.map_err(|why| format!("{}: {why}", self.address))
    }

    async fn ask(&self) -> Result<Bytes, String> {
        let client = self.client.as_ref()?;
        let request = Request::get(&self.address)
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let response = client.request(request).await.map_err(|error| chain(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("the answer has the status {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        let body =
            body.map_err(|error| format!("the answer is over {MOST_BYTES} bytes or broke off: {error}"))?;
        Ok(body.to_bytes())
    }
}

/// A file's bytes, or a sentence why not.
pub(super) async fn file(path: &Path) -> Result<Bytes, String> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        let file = File::open(owned)?;
        file.take(MOST_BYTES as u64 + 1).read_to_end(&mut text)?;
        Ok::<_, std::io::Error>(text)
    });
    let read = read.await.map_err(|error| error.to_string())?;
    let text = read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if text.len() > MOST_BYTES {
        return Err(format!("{} has more than {MOST_BYTES} bytes", path.display()));
    }
    Ok(text.into())
}

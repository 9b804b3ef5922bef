//! Address, origins, proxies.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The table `http`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// The address to listen on: `127.0.0.1` for this machine only, `0.0.0.0` or `::` for everybody.
    pub bind: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Where a proxy puts the server below its own root: `/` or, for example, `/realtime`.
    pub base_path: String,
    /// Other origins whose pages may connect, such as `https://app.example.com`; `*` allows all.
    pub allowed_origins: Vec<String>,
    /// Addresses or ranges of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<String>,
    /// The file of the certificate chain, PEM, the server's own first. With it the server ends TLS itself and speaks
    /// nothing else; without it a proxy does. Read again on SIGHUP; setting it or taking it away needs a restart.
    pub tls_cert: PathBuf,
    /// The file of the certificate's key, PEM.
    pub tls_key: PathBuf,
    /// Whether `/metrics` answers everybody; otherwise it needs an API key with the scope `read`.
    pub open_metrics: bool,
    /// How long a request's headers may take, ms; never 0.
    pub header_timeout_ms: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1".to_owned(),
            port: 5_000,
            base_path: "/".to_owned(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            tls_cert: PathBuf::new(),
            tls_key: PathBuf::new(),
            open_metrics: false,
            header_timeout_ms: 10_000,
        }
    }
}

impl HttpConfig {
    /// The base path without its last slash: empty for `/`.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base_path.trim_end_matches('/')
    }

    /// The ranges of [`Self::trusted_proxies`].
    #[must_use]
    pub fn proxies(&self) -> Vec<IpNet> {
        self.trusted_proxies
            .iter()
            .filter_map(|text| range(text))
            .collect()
    }

    /// Whether the server ends TLS itself.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        !self.tls_cert.as_os_str().is_empty()
    }

    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if self.bind.parse::<IpAddr>().is_err() {
            problems.push("`http.bind` must be an IP address, such as 127.0.0.1, 0.0.0.0 or ::1.".to_owned());
        }
        if !base_path_fits(&self.base_path) {
            problems.push(
                "`http.base_path` must be `/`, or begin with `/` and have letters, digits, `-`, `_`, `.` and `/`."
                    .to_owned(),
            );
        }
        for origin in &self.allowed_origins {
            if !origin_fits(origin) {
                problems.push(format!(
                    "`http.allowed_origins` holds `{origin}`: an origin is `https://host` or `https://host:port`, \
                     without a path."
                ));
            }
        }
        for text in &self.trusted_proxies {
            if range(text).is_none() {
                problems.push(format!(
                    "`http.trusted_proxies` holds `{text}`: it must be an address (10.0.0.1) or a range (10.0.0.0/8)."
                ));
            }
        }
        if self.tls_cert.as_os_str().is_empty() != self.tls_key.as_os_str().is_empty() {
            problems.push(
                "`http.tls_cert` and `http.tls_key` go together: set both, or none and let a proxy end TLS."
                    .to_owned(),
            );
        }
        if !(100..=600_000).contains(&self.header_timeout_ms) {
            problems.push("`http.header_timeout_ms` must be between 100 and 600000 ms.".to_owned());
        }
    }
}

fn range(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn base_path_fits(path: &str) -> bool {
    let letters = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    path.starts_with('/') && letters && !path.contains("//") && !path.contains("..")
}

fn origin_fits(origin: &str) -> bool {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    origin == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
}

//! Where traces of the server's doings are sent.

use axum::http::uri::{PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::Secret;

/// The table `telemetry`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The address of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://localhost:4318`; spans go
    /// to `/v1/traces` below it. Empty: nothing is exported.
    pub otlp_endpoint: String,
    /// Headers that the collector wants, `name=value,name=value`, values percent-encoded.
    pub otlp_headers: Secret,
    /// How long one export may take, ms; never 0.
    pub otlp_timeout_ms: u64,
    /// What this server is called in traces.
    pub service_name: String,
    /// Which part of the traces that begin here is exported, 0 to 1. A request that comes with a `traceparent` goes by
    /// what that says.
    pub sample_ratio: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            otlp_endpoint: String::new(),
            otlp_headers: Secret::default(),
            otlp_timeout_ms: 10_000,
            service_name: "bmt-server".to_owned(),
            sample_ratio: 1.0,
        }
    }
}

/// Variables of the OpenTelemetry specification, and the settings that they stand for where neither the file nor a
/// `BMT_` variable says otherwise. The later one wins.
pub(super) const STANDARD_VARIABLES: &[(&str, &str)] = &[
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "telemetry.otlp_headers"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "telemetry.otlp_timeout_ms"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
];

/// Where a collector takes spans (OTLP specification, "OTLP/HTTP Request").
const TRACES: &str = "/v1/traces";
/// A collector that has not answered after this will not.
const TIMEOUT_MAX_MS: u64 = 60_000;

impl TelemetryConfig {
    /// Where spans go; none where nothing is exported.
    #[must_use]
    pub fn traces_address(&self) -> Option<Uri> {
        address(&self.otlp_endpoint).ok()
    }

    /// What every export carries.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        headers(self.otlp_headers.reveal()).unwrap_or_default()
    }

    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if !self.otlp_endpoint.is_empty()
            && let Err(why) = address(&self.otlp_endpoint)
        {
            problems.push(format!(
                "`telemetry.otlp_endpoint` {why}. Write where the collector takes OTLP over HTTP, such as \
                 `http://localhost:4318`, or leave it empty to export nothing."
            ));
        }
        if let Err(why) = headers(self.otlp_headers.reveal()) {
            problems.push(format!(
                "`telemetry.otlp_headers` {why}. Write them as `name=value,name=value`, values percent-encoded."
            ));
        }
        if !(1..=TIMEOUT_MAX_MS).contains(&self.otlp_timeout_ms) {
            problems.push(format!(
                "`telemetry.otlp_timeout_ms` must be between 1 and {TIMEOUT_MAX_MS}."
            ));
        }
        if self.service_name.is_empty() {
            problems.push("`telemetry.service_name` must not be empty.".to_owned());
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            problems.push("`telemetry.sample_ratio` must be between 0 and 1.".to_owned());
        }
    }
}

/// The whole address for spans: who writes `/v1/traces` out means the same.
fn address(endpoint: &str) -> Result<Uri, &'static str> {
    let uri: Uri = endpoint.parse().map_err(|_| "is no address")?;
    let mut parts = uri.into_parts();
    if ![Some(Scheme::HTTP), Some(Scheme::HTTPS)].contains(&parts.scheme) {
        return Err("must begin with `http://` or `https://`");
    }
    let authority = parts.authority.as_ref().ok_or("names no host")?;
    if authority.host().is_empty() {
        return Err("names no host");
    }
    if authority.as_str().contains('@') {
        return Err("must not hold a password: `telemetry.otlp_headers` is the place for it");
    }
    let base = parts.path_and_query.as_ref();
    if base.is_some_and(|base| base.query().is_some()) {
        return Err("must not have a query: `telemetry.otlp_headers` is the place for keys");
    }
    let base = base.map_or("", PathAndQuery::path).trim_end_matches('/');
    let path = format!("{}{TRACES}", base.strip_suffix(TRACES).unwrap_or(base));
    parts.path_and_query = Some(path.parse().map_err(|_| "has no path that can be asked for")?);
    Uri::from_parts(parts).map_err(|_| "is no address")
}

fn headers(text: &str) -> Result<HeaderMap, &'static str> {
    let mut headers = HeaderMap::new();
    for header in text.split(',').map(str::trim).filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once('=').ok_or("has a part without `=`")?;
        let name: HeaderName = name
            .trim()
            .parse()
            .map_err(|_| "has a name that no header can have")?;
        let value = percent_decode_str(value.trim()).collect::<Vec<u8>>();
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| "has a value that no header can have")?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_below_the_endpoint_however_it_is_written() {
        for (endpoint, traces) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            (
                "https://otlp.example/otlp/",
                "https://otlp.example/otlp/v1/traces",
            ),
            ("https://otlp.example/v1/traces", "https://otlp.example/v1/traces"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ] {
            assert_eq!(address(endpoint).unwrap(), traces, "{endpoint}");
        }
    }

    #[test]
    fn headers_are_read_as_the_specification_writes_them() {
        let read = headers("api-key=a%20b, x-scope = 1,").unwrap();
        assert_eq!(
            (&read["api-key"], &read["x-scope"]),
            (&"a b".parse().unwrap(), &"1".parse().unwrap())
        );
        assert!(read["api-key"].is_sensitive());
        for wrong in ["api-key", "a b=1", "a=%0a"] {
            assert!(headers(wrong).is_err(), "{wrong}");
        }
    }
}

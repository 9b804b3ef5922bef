//! The collector: spans as it reads them (OTLP over HTTP, protobuf), and what it answers.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

use crate::config::TelemetryConfig;
use crate::outgoing::{self, Client, chain};

/// Answers have a few bytes.
const ANSWER_BYTES: usize = 64 * 1_024;
/// Exports go one after the other.
const IDLE_CONNECTIONS: usize = 1;
/// A collector that wants to be left alone for longer is asked again after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// See the [module](self).
pub(super) struct Collector {
    address: Uri,
    headers: HeaderMap,
    time_limit: Duration,
    client: Result<Client<Full<Bytes>>, String>,
    resource: ResourceAttributesWithSchema,
}

/// Why spans were not taken.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    pub(super) again: Again,
}

/// Whether the same spans may be taken later (OTLP specification, "Failures").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    Later,
    After(Duration),
}

impl Collector {
    /// The one that is configured, if one is.
    pub(super) fn of(config: &TelemetryConfig, resource: &Resource) -> Option<Self> {
        let address = config.traces_address()?;
        let mut headers = config.headers();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let agent = HeaderValue::from_static(concat!("bmt-server/", env!("CARGO_PKG_VERSION")));
        headers.entry(USER_AGENT).or_insert(agent);
        Some(Self {
            address,
            headers,
            time_limit: Duration::from_millis(config.otlp_timeout_ms),
            client: outgoing::client(IDLE_CONNECTIONS),
            resource: resource.into(),
        })
    }

    pub(super) fn name(&self) -> String {
        self.address.to_string()
    }

    /// Spans as they go over the wire.
    pub(super) fn encode(&self, spans: Vec<SpanData>) -> Bytes {
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        ExportTraceServiceRequest { resource_spans }
            .encode_to_vec()
            .into()
    }

    /// Sends them once. Answers how many of them were not wanted.
    pub(super) async fn send(&self, body: Bytes) -> Result<u64, Failure> {
        match tokio::time::timeout(self.time_limit, self.ask(body)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure {
                why: format!("no whole answer within {} ms", self.time_limit.as_millis()),
                again: Again::Later,
            }),
        }
    }

    async fn ask(&self, body: Bytes) -> Result<u64, Failure> {
        let failure = |why, again| Failure { why, again };
        let client = self.client.as_ref();
        let client = client.map_err(|why| failure(why.clone(), Again::Never))?;
        let mut request = Request::post(&self.address)
            .body(Full::new(body))
            .map_err(|error| failure(error.to_string(), Again::Never))?;
        request.headers_mut().clone_from(&self.headers);
        let response = client.request(request).await;
        let response = response.map_err(|error| failure(chain(&error), Again::Later))?;
        let status = response.status();
        if !status.is_success() {
            let why = format!("it answers {status}: is this its address for OTLP over HTTP?");
            return Err(failure(why, again(&response)));
        }
        let answer = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        // It has the spans: sending them again would double them.
        let answer = answer.map_err(|error| failure(error.to_string(), Again::Never))?;
        let answer = ExportTraceServiceResponse::decode(answer.to_bytes()).unwrap_or_default();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or_default())
    }
}

fn again<B>(response: &Response<B>) -> Again {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let after = response.headers().get(RETRY_AFTER);
            let seconds = after.and_then(|after| after.to_str().ok()?.parse().ok());
            seconds.map_or(Again::Later, |seconds| {
                Again::After(Duration::from_secs(seconds).min(LONGEST_PAUSE))
            })
        }
        _ => Again::Never,
    }
}

//! `GET /metrics`: the figures for Prometheus (SPEC §8), in the OpenMetrics text format.

use std::fmt;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Refusal;
use super::control::Control;
use super::traffic::{CLASSES, Line};
use crate::figures::{Load, OwnProcess, own_process};
use crate::files::Usage;
use crate::meters::{Meters, Spread};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Bounds of the buckets of publishes, as powers of two of a microsecond: 128 µs to 34 s.
const PUBLISH_BOUNDS: &[u32] = &[
    7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
];
/// Those of requests, of which there are as many as routes: 1 ms to 17 s.
const REQUEST_BOUNDS: &[u32] = &[10, 12, 14, 16, 18, 20, 22, 24];

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the server.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many took how long, s.
    Histogram,
}

/// One metric: what `docs/METRICS.md` tells of it, and where its number is.
pub struct Metric {
    /// As Prometheus shows it.
    pub name: &'static str,
    /// What kind of number.
    pub kind: Kind,
    /// What tells its series apart; a metric without has one. Each has a bounded number of values.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    source: Source,
}

/// Where the numbers are.
enum Source {
    Number(fn(&Reading<'_>) -> f64),
    Publishes,
    Requests,
    RequestDurations,
}

struct Reading<'a> {
    meters: &'a Meters,
    kept: Usage,
    load: Load,
    process: OwnProcess,
    in_flight: u64,
    /// Exported, and dropped.
    spans: (u64, u64),
}

const fn metric(name: &'static str, kind: Kind, help: &'static str, source: Source) -> Metric {
    Metric {
        name,
        kind,
        labels: &[],
        help,
        source,
    }
}

const fn counter(name: &'static str, help: &'static str, value: fn(&Reading<'_>) -> f64) -> Metric {
    metric(name, Kind::Counter, help, Source::Number(value))
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&Reading<'_>) -> f64) -> Metric {
    metric(name, Kind::Gauge, help, Source::Number(value))
}

impl Metric {
    const fn by(self, labels: &'static [&'static str]) -> Self {
        Self { labels, ..self }
    }
}

/// Every metric, in the order of the page.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    gauge("bmt_connections", "Authenticated connections of this node", |now| now.load.connections as f64),
    gauge("bmt_transports", "Open transports, those without a user included", |now| now.load.transports as f64),
    gauge("bmt_users", "Users with a connection", |now| now.load.users as f64),
    gauge("bmt_channels", "Channels in memory", |now| now.load.channels as f64),
    gauge("bmt_requests_waiting", "Requests to channels that are not answered yet", |now| now.load.waiting as f64),
    gauge("bmt_store_writable", "1 while the message store takes writes", |now| f64::from(u8::from(now.load.writable))),
    counter("bmt_connections_opened_total", "Connections that were opened", |now| now.meters.connections.get() as f64),
    counter("bmt_slow_consumers_total", "Connections closed because they read too slowly", |now| now.meters.slow_consumers.get() as f64),
    counter("bmt_messages_total", "Messages published and kept", |now| now.meters.messages.get() as f64),
    counter("bmt_deliveries_total", "Messages handed to connections", |now| now.meters.deliveries.get() as f64),
    counter("bmt_signals_total", "Signals that had receivers", |now| now.meters.signals.get() as f64),
    counter("bmt_publish_failures_total", "Publishes that a channel or the store refused", |now| now.meters.publish_failures.get() as f64),
    metric("bmt_publish_duration_seconds", Kind::Histogram, "From a publish being taken to its hand-over to all receivers and its ack", Source::Publishes),
    metric("bmt_http_requests_total", Kind::Counter, "Requests that were answered; `route` is a template of the route tables, or `other`", Source::Requests).by(&["route", "method", "status"]),
    metric("bmt_http_request_duration_seconds", Kind::Histogram, "From a request's head to its answer's; polls that wait count their wait", Source::RequestDurations).by(&["route", "method"]),
    gauge("bmt_http_requests_in_flight", "Requests that are not answered yet; of connections only their handshakes", |now| now.in_flight as f64),
    counter("bmt_config_reloads_total", "Times the configuration was read again and taken over", |now| now.meters.reloads.get() as f64),
    counter("bmt_config_reload_failures_total", "Times it was read again and had a mistake: nothing changed", |now| now.meters.failed_reloads.get() as f64),
    counter("bmt_trace_spans_total", "Spans that a collector took; 0 where none is configured", |now| now.spans.0 as f64),
    counter("bmt_trace_spans_dropped_total", "Spans that were lost: the queue was full, or no collector took them", |now| now.spans.1 as f64),
    gauge("bmt_files", "Uploaded files that are kept", |now| now.kept.files as f64),
    gauge("bmt_file_bytes", "Bytes of them, thumbnails included", |now| now.kept.bytes as f64),
    counter("bmt_uploads_total", "Files that were uploaded and kept", |now| now.meters.uploads.get() as f64),
    counter("bmt_upload_bytes_total", "Bytes of those files", |now| now.meters.upload_bytes.get() as f64),
    counter("bmt_upload_failures_total", "Uploads that were refused or broke off", |now| now.meters.upload_failures.get() as f64),
    gauge("process_resident_memory_bytes", "Memory that the process holds", |now| now.process.memory_bytes as f64),
    counter("process_cpu_seconds_total", "Time spent on processors, all threads together", |now| now.process.cpu.as_secs_f64()),
    gauge("process_open_fds", "Files and sockets that the process has open", |now| now.process.open_files as f64),
    gauge("process_uptime_seconds", "Time since the start", |now| now.meters.began.elapsed().as_secs_f64()),
];

/// All numbers at one moment.
#[derive(Debug)]
struct Read {
    /// In the order of the table; those with several series are not among them.
    numbers: Vec<Option<f64>>,
    publishes: Spread,
    requests: Vec<Line>,
}

impl Read {
    fn of(control: &Control, reading: &Reading<'_>) -> Self {
        let number = |metric: &Metric| match metric.source {
            Source::Number(value) => Some(value(reading)),
            Source::Publishes | Source::Requests | Source::RequestDurations => None,
        };
        Self {
            numbers: METRICS.iter().map(number).collect(),
            publishes: reading.meters.latency.spread(),
            requests: control.traffic.lines(),
        }
    }
}

impl Collector for Read {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (metric, number) in METRICS.iter().zip(&self.numbers) {
            let (name, kind) = match metric.kind {
                Kind::Counter => (metric.name.trim_end_matches("_total"), MetricType::Counter),
                Kind::Gauge => (metric.name, MetricType::Gauge),
                Kind::Histogram => (metric.name, MetricType::Histogram),
            };
            let one = encoder.encode_descriptor(name, metric.help, None, kind)?;
            match metric.source {
                Source::Number(_) => encode_number(metric.kind, number.unwrap_or_default(), one)?,
                Source::Publishes => encode_spread(&self.publishes, PUBLISH_BOUNDS, one)?,
                Source::Requests => encode_requests(&self.requests, one)?,
                Source::RequestDurations => encode_durations(&self.requests, one)?,
            }
        }
        Ok(())
    }
}

fn encode_number(kind: Kind, number: f64, one: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    match kind {
        Kind::Counter => ConstCounter::new(number).encode(one),
        Kind::Gauge | Kind::Histogram => ConstGauge::new(number).encode(one),
    }
}

fn encode_requests(lines: &[Line], mut all: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    for line in lines {
        for (class, count) in CLASSES.iter().zip(line.by_class) {
            if count > 0 {
                let labels = [
                    ("route", line.route.as_str()),
                    ("method", line.method),
                    ("status", *class),
                ];
                ConstCounter::new(count).encode(all.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

fn encode_durations(lines: &[Line], mut all: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    for line in lines {
        let labels = [("route", line.route.as_str()), ("method", line.method)];
        encode_spread(&line.took, REQUEST_BOUNDS, all.encode_family(&labels)?)?;
    }
    Ok(())
}

/// `bounds` are powers of two of a microsecond.
fn encode_spread(spread: &Spread, bounds: &[u32], mut one: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    let mut below = 0;
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for bits in bounds {
        let at_most = spread.at_most(1 << bits);
        buckets.push((f64::from(1_u32 << bits) / 1e6, at_most - below));
        below = at_most;
    }
    let count = spread.count();
    buckets.push((f64::INFINITY, count - below));
    one.encode_histogram::<NoLabelSet>(spread.sum_s(), count, &buckets, None)
}

pub(super) async fn get(State(control): State<Control>) -> Result<Response, Refusal> {
    let reading = Reading {
        meters: control.figures.meters(),
        kept: control.node.files.kept(),
        load: control.figures.load().await,
        process: own_process(),
        in_flight: control.traffic.in_flight(),
        spans: (
            control.node.telemetry.exported(),
            control.node.telemetry.dropped(),
        ),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Read::of(&control, &reading)));
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|error| Refusal::incident("metrics could not be written", &error))?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

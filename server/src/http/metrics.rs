//! `GET /metrics`: the figures for Prometheus (SPEC §8), in the OpenMetrics text format.

use std::fmt;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Refusal;
use super::control::Control;
use crate::figures::{Load, OwnProcess, own_process};
use crate::files::Usage;
use crate::meters::{Meters, Spread};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Bounds of the buckets of a histogram, as powers of two of a microsecond: 128 µs to 34 s.
const LATENCY_BOUNDS: std::ops::RangeInclusive<u32> = 7..=25;

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
    /// What it says.
    pub help: &'static str,
    value: fn(&Reading<'_>) -> f64,
}

struct Reading<'a> {
    meters: &'a Meters,
    kept: Usage,
    load: Load,
    process: OwnProcess,
}

const fn counter(name: &'static str, help: &'static str, value: fn(&Reading<'_>) -> f64) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        help,
        value,
    }
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&Reading<'_>) -> f64) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        help,
        value,
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
    Metric {
        name: "bmt_publish_duration_seconds",
        kind: Kind::Histogram,
        help: "From a publish being taken to its hand-over to all receivers and its ack",
        value: |now| now.meters.latency.spread().sum_s(),
    },
    counter("bmt_config_reloads_total", "Times the configuration was read again and taken over", |now| now.meters.reloads.get() as f64),
    counter("bmt_config_reload_failures_total", "Times it was read again and had a mistake: nothing changed", |now| now.meters.failed_reloads.get() as f64),
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
    numbers: Vec<f64>,
    latency: Spread,
}

impl Collector for Read {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (metric, number) in METRICS.iter().zip(&self.numbers) {
            match metric.kind {
                Kind::Counter => {
                    let name = metric.name.trim_end_matches("_total");
                    let one = encoder.encode_descriptor(name, metric.help, None, MetricType::Counter)?;
                    ConstCounter::new(*number).encode(one)?;
                }
                Kind::Gauge => {
                    let one = encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Gauge)?;
                    ConstGauge::new(*number).encode(one)?;
                }
                Kind::Histogram => {
                    let one =
                        encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Histogram)?;
                    encode_latency(&self.latency, one)?;
                }
            }
        }
        Ok(())
    }
}

fn encode_latency(
    latency: &Spread,
    mut encoder: prometheus_client::encoding::MetricEncoder<'_>,
) -> Result<(), fmt::Error> {
    let mut below = 0;
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for bits in LATENCY_BOUNDS {
        let at_most = latency.at_most(1 << bits);
        buckets.push((f64::from(1_u32 << bits) / 1e6, at_most - below));
        below = at_most;
    }
    let count = latency.count();
    buckets.push((f64::INFINITY, count - below));
    encoder.encode_histogram::<NoLabelSet>(latency.sum_s(), count, &buckets, None)
}

pub(super) async fn get(State(control): State<Control>) -> Result<Response, Refusal> {
    let meters = control.figures.meters();
    let reading = Reading {
        meters,
        kept: control.node.files.kept(),
        load: control.figures.load().await,
        process: own_process(),
    };
    let read = Read {
        numbers: METRICS.iter().map(|metric| (metric.value)(&reading)).collect(),
        latency: meters.latency.spread(),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(read));
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|error| Refusal::incident("metrics could not be written", &error))?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

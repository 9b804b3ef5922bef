//! `docs/METRICS.md`: every number that `/metrics` shows, from the table that it is made of.

use bmt_server::http::metrics::{Kind, METRICS};

use crate::page::{self, heading, row};

const OPENING: &str = "\
# Metrics

`GET /metrics` shows these in the OpenMetrics text format, which Prometheus reads. In dev mode, and where
`http.open_metrics` is set, anybody may ask; otherwise an API key with the scope `read` is needed
(`bmt-server key create --name prometheus --scope read`):

```yaml
scrape_configs:
  - job_name: bmt
    static_configs: [{ targets: [\"127.0.0.1:5000\"] }]
    authorization: { credentials: bmt_… }
```

`GET /api/v1/stats` tells rates and percentiles of the last moments as JSON; the same goes out on `system:metrics` every
five seconds while somebody listens.

";

#[test]
fn the_metrics_page_lists_every_metric() {
    let mut page = OPENING.to_owned() + &heading(["metric", "kind", "labels", "what it says"]);
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        page += &row([
            &format!("`{}`", metric.name),
            kind,
            &labels.join(", "),
            &format!("{}.", metric.help),
        ]);
    }
    page::is("METRICS.md", &page);
}

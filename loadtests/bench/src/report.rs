//! What was measured, as a Markdown table and as JSON.
#![expect(clippy::float_arithmetic, reason = "rates, means and ratios")]

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use smartcart_testkit::{
    metrics::Metrics,
    report::{Table, counts, optional},
};

use crate::{load::Measured, scenario::Scenario};

/// Everything that the slices of one scenario added up to.
#[derive(Debug)]
pub struct Total {
    pub measured: Measured,
    /// CPU of the server, until the tables had caught up.
    pub cpu_micros: u64,
    pub metrics: Metrics,
}

#[derive(Debug, Serialize)]
pub struct Report {
    /// Bytes of the no-op server's reply: as many as a cart's, on average.
    pub reply_bytes: u64,
    pub carts: usize,
    pub rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
pub struct Row {
    pub scenario: &'static str,
    pub connections: usize,
    pub requests: u64,
    pub requests_per_second: f64,
    /// Throughput over the no-op server's.
    pub ratio: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    /// Server CPU of one request, until the tables had caught up.
    pub cpu_us: f64,
    /// Changes in one append to the journal.
    pub batch: Option<f64>,
    /// One append.
    pub append_ms: Option<f64>,
    /// One transaction of the write-behind.
    pub flush_ms: Option<f64>,
    pub flushes: f64,
    pub rows_per_change: Option<f64>,
    /// Answers with another status than the expected one.
    pub unexpected: BTreeMap<u16, u64>,
    /// The body of the first of them.
    pub example: Option<String>,
}

impl Report {
    pub const fn new(reply_bytes: u64, carts: usize) -> Self {
        Self { reply_bytes, carts, rows: Vec::new() }
    }

    /// Whether every answer was as expected, and there were some in each row.
    pub fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| row.unexpected.is_empty() && row.requests > 0)
    }
}

impl Row {
    /// A row for each scenario, with its ratio to the no-op server.
    pub fn all(connections: usize, totals: &[(Scenario, Total)]) -> Vec<Self> {
        let rate_of = |wanted: Scenario| {
            totals.iter().find(|(scenario, _)| *scenario == wanted).map_or(0.0, |(_, total)| rate(total))
        };
        let row = |(scenario, total): &(Scenario, Total)| {
            let subject = scenario.noop_server() != *scenario;
            Self::of(*scenario, connections, total, rate_of(scenario.noop_server()), subject)
        };
        totals.iter().map(row).collect()
    }

    fn of(scenario: Scenario, connections: usize, total: &Total, noop_server: f64, subject: bool) -> Self {
        let Total { measured, metrics, .. } = total;
        let milliseconds = |quantile| measured.latency.value_at_quantile(quantile) as f64 / 1e6;
        let changed = subject && scenario != Scenario::ReadCart;
        let mean = |name| metrics.mean(name).filter(|_| changed);
        Self {
            scenario: scenario.name(),
            connections,
            requests: measured.requests,
            requests_per_second: rate(total),
            ratio: rate(total) / noop_server,
            p50_ms: milliseconds(0.5),
            p99_ms: milliseconds(0.99),
            p999_ms: milliseconds(0.999),
            cpu_us: total.cpu_micros as f64 / measured.requests.max(1) as f64,
            batch: mean("smartcart_commit_batch_size"),
            append_ms: mean("smartcart_commit_duration_seconds").map(|seconds| seconds * 1e3),
            flush_ms: mean("smartcart_flush_duration_seconds").map(|seconds| seconds * 1e3),
            flushes: if changed { metrics.get("smartcart_flush_duration_seconds_count") } else { 0.0 },
            rows_per_change: changed
                .then(|| metrics.get("smartcart_flush_rows_total") / measured.requests.max(1) as f64),
            unexpected: measured.unexpected.clone(),
            example: measured.example.clone(),
        }
    }
}

fn rate(total: &Total) -> f64 {
    total.measured.requests as f64 / total.measured.elapsed.as_secs_f64().max(f64::EPSILON)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} carts; a cart's reply, and the no-op server's, has {} bytes.\n",
            self.carts, self.reply_bytes
        )?;
        let mut table = Table::new(&[
            "scenario",
            "#connections",
            "#requests/s",
            "#of the no-op server",
            "#p50 ms",
            "#p99 ms",
            "#p99.9 ms",
            "#server CPU us",
            "#changes an append",
            "#append ms",
            "#flush ms",
            "#rows a request",
            "unexpected",
        ]);
        for row in &self.rows {
            table.row(vec![
                row.scenario.to_owned(),
                row.connections.to_string(),
                format!("{:.0}", row.requests_per_second),
                format!("{:.2}", row.ratio),
                format!("{:.2}", row.p50_ms),
                format!("{:.2}", row.p99_ms),
                format!("{:.2}", row.p999_ms),
                format!("{:.1}", row.cpu_us),
                optional(row.batch, 2),
                optional(row.append_ms, 2),
                optional(row.flush_ms, 2),
                optional(row.rows_per_change, 2),
                counts(&row.unexpected),
            ]);
        }
        write!(f, "{table}")?;
        for row in self.rows.iter().filter(|row| row.example.is_some()) {
            let example = row.example.as_deref().unwrap_or_default();
            writeln!(f, "\n{}, {} connections, unexpected: {example}", row.scenario, row.connections)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn total(requests: u64, unexpected: &[(u16, u64)]) -> Total {
        let mut measured = Measured::nothing().unwrap();
        measured.requests = requests;
        measured.elapsed = Duration::from_secs(2);
        measured.latency.record_n(1_000_000, requests).unwrap();
        measured.unexpected = unexpected.iter().copied().collect();
        Total { measured, cpu_micros: requests * 10, metrics: Metrics::default() }
    }

    fn report(unexpected: &[(u16, u64)]) -> Report {
        let totals = [(Scenario::NoopPost, total(2000, &[])), (Scenario::AddItem, total(1200, unexpected))];
        Report { rows: Row::all(64, &totals), ..Report::new(500, 10) }
    }

    #[test]
    fn a_row_is_compared_with_the_no_op_server() {
        let report = report(&[]);
        let add = &report.rows[1];
        assert!((add.ratio - 0.6).abs() < 1e-9, "{add:?}");
        assert!((add.cpu_us - 10.0).abs() < 1e-9 && (add.p99_ms - 1.0).abs() < 0.01, "{add:?}");
        assert!(report.is_clean());
        assert!(report.to_string().contains("| durable add-item | 64 | 600 | 0.60 |"), "{report}");
    }

    #[test]
    fn an_unexpected_answer_is_shown_and_spoils_the_run() {
        let report = report(&[(503, 7)]);
        assert!(!report.is_clean());
        assert!(report.to_string().contains("7 x 503"), "{report}");
    }
}

//! Reads the server's metrics: Prometheus' text format, as much of it as sums need.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};

use crate::wire::{Connection, render};

/// Samples by name, summed over their labels.
#[derive(Debug, Clone, Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub async fn read(ops: SocketAddr) -> anyhow::Result<Self> {
        let mut connection = Connection::open(ops).await.context("connecting to the ops listener")?;
        let response = connection.call(&render("GET", "/metrics", &[], None)).await?;
        ensure!(response.status == 200, "/metrics answered {}", response.status);
        Ok(Self::parse(&String::from_utf8(response.body)?))
    }

    #[expect(clippy::float_arithmetic, reason = "the format's numbers are floats")]
    fn parse(text: &str) -> Self {
        let mut sums = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            // `name{labels} value`; a label's value may hold spaces.
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let name = series.split('{').next().unwrap_or(series);
            if let Ok(value) = value.parse::<f64>() {
                *sums.entry(name.to_owned()).or_insert(0.0) += value;
            }
        }
        Self(sums)
    }

    /// Zero for what has not been counted yet.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    /// What was counted since `before`.
    #[expect(clippy::float_arithmetic, reason = "the format's numbers are floats")]
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self(self.0.iter().map(|(name, value)| (name.clone(), value - before.get(name))).collect())
    }

    #[expect(clippy::float_arithmetic, reason = "the format's numbers are floats")]
    pub fn add(&mut self, other: &Self) {
        for (name, value) in &other.0 {
            *self.0.entry(name.clone()).or_insert(0.0) += value;
        }
    }

    /// The mean of a histogram's or summary's observations.
    #[expect(clippy::float_arithmetic, reason = "a mean")]
    pub fn mean(&self, name: &str) -> Option<f64> {
        let count = self.get(&format!("{name}_count"));
        (count > 0.0).then(|| self.get(&format!("{name}_sum")) / count)
    }
}

/// The tables may lag behind the journal this long after a slice.
pub const CATCHES_UP_WITHIN: Duration = Duration::from_secs(60);

/// What a checkout leaves to be done after its answer, and the journal's trimming after a flush, are over by then.
const QUIET: Duration = Duration::from_millis(300);

/// Waits until the tables have all that the journal has.
pub async fn drained(ops: SocketAddr, limit: Duration) -> anyhow::Result<()> {
    let quiet = async {
        loop {
            let level = is_level(ops).await?;
            tokio::time::sleep(QUIET).await;
            if level && is_level(ops).await? {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(limit, quiet)
        .await
        .with_context(|| format!("the write-behind did not catch up within {limit:?}"))?
}

async fn is_level(ops: SocketAddr) -> anyhow::Result<bool> {
    let mut connection = Connection::open(ops).await.context("connecting to the ops listener")?;
    let response = connection.call(&render("GET", "/ops/api/status", &[], None)).await?;
    ensure!(response.status == 200, "/ops/api/status answered {}", response.status);
    let status: serde_json::Value = serde_json::from_slice(&response.body)?;
    let behind = &status["engine"]["tables_behind"];
    let count = |of| behind[of].as_u64().with_context(|| format!("no tables_behind.{of}: {status}"));
    Ok(count("entries")? == 0 && count("entities")? == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE smartcart_commit_batch_size histogram\n\
        smartcart_commit_batch_size_sum{lane=\"0\"} 90\n\
        smartcart_commit_batch_size_sum{lane=\"1 2\"} 10\n\
        smartcart_commit_batch_size_count{lane=\"0\"} 5\n\
        smartcart_write_behind_lag_entries 7\n";

    #[test]
    fn series_are_summed_over_their_labels() {
        let metrics = Metrics::parse(TEXT);
        assert!((metrics.mean("smartcart_commit_batch_size").unwrap() - 20.0).abs() < 1e-9);
        assert!((metrics.get("smartcart_write_behind_lag_entries") - 7.0).abs() < 1e-9);
        assert!(metrics.mean("smartcart_absent").is_none());
    }

    #[test]
    fn a_difference_is_what_happened_between() {
        let before = Metrics::parse("a 3\n");
        let after = Metrics::parse("a 10\nb 2\n");
        let since = after.since(&before);
        assert!((since.get("a") - 7.0).abs() < 1e-9);
        assert!((since.get("b") - 2.0).abs() < 1e-9);
    }
}

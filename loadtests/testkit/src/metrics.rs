//! A pod's metrics, in Prometheus' text format.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::Context;
use prometheus_parse::{Scrape, Value};

use crate::ops::get_text;

/// Samples by name, summed over their labels.
#[derive(Debug, Clone, Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub async fn read(ops: SocketAddr) -> anyhow::Result<Self> {
        Self::parse(&get_text(ops, "/metrics").await?)
    }

    #[expect(clippy::float_arithmetic, reason = "the format's numbers are floats")]
    fn parse(text: &str) -> anyhow::Result<Self> {
        let scrape =
            Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).context("reading the metrics")?;
        let mut sums = BTreeMap::new();
        for sample in scrape.samples {
            match sample.value {
                Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
                    *sums.entry(sample.metric).or_insert(0.0) += value;
                }
                // Of these only `_sum` and `_count` are wanted, which are samples of their own.
                Value::Histogram(_) | Value::Summary(_) => {}
            }
        }
        Ok(Self(sums))
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
        let metrics = Metrics::parse(TEXT).unwrap();
        assert!((metrics.mean("smartcart_commit_batch_size").unwrap() - 20.0).abs() < 1e-9);
        assert!((metrics.get("smartcart_write_behind_lag_entries") - 7.0).abs() < 1e-9);
        assert!(metrics.mean("smartcart_absent").is_none());
    }

    #[test]
    fn a_difference_is_what_happened_between() {
        let before = Metrics::parse("a 3\n").unwrap();
        let after = Metrics::parse("a 10\nb 2\n").unwrap();
        let since = after.since(&before);
        assert!((since.get("a") - 7.0).abs() < 1e-9);
        assert!((since.get("b") - 2.0).abs() < 1e-9);
    }
}

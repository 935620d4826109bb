//! The Prometheus recorder: one for the process, installed by whatever starts first.

use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;

/// Seconds: from a fast read to a client's usual timeout.
const DURATIONS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.007_5, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    5.0,
];
const SIZES: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

/// Without labels: exported as zero from the start.
const COUNTERS: [(&str, &str); 9] = [
    ("smartcart_changes_total", "Changes of carts and stocks that were made durable"),
    ("smartcart_commit_unknown_total", "Appends to the journal whose outcome had to be asked again"),
    ("smartcart_actor_failures_total", "Actors that failed and were rebuilt by their next message"),
    ("smartcart_oversell_refused_total", "Holds and checkouts refused because there was not enough stock"),
    ("smartcart_flush_rows_total", "Rows written to the tables"),
    ("smartcart_flush_failures_total", "Flushes that the tables did not take and that were tried again"),
    ("smartcart_forwarded_total", "Requests that went to the pod that owns the shard"),
    ("smartcart_pods_declared_dead_total", "Silent pods that this one declared dead"),
    (
        "smartcart_journals_quarantined_total",
        "Dead pods' journals that could not be finished: somebody must look",
    ),
];
const LABELLED_COUNTERS: [(&str, &str); 3] = [
    ("smartcart_http_requests_total", "Requests answered, by route, method and status"),
    ("smartcart_shed_total", "Requests refused to keep the others fast, by reason"),
    ("smartcart_evictions_total", "Entities that left memory, by kind"),
];
const GAUGES: [(&str, &str); 10] = [
    ("smartcart_actors", "Entities whose actor runs, by kind"),
    ("smartcart_residents", "Entities in memory, by kind"),
    ("smartcart_resident_bytes", "Bytes that entities in memory take, about, by kind"),
    ("smartcart_mailbox_depth", "Messages sent to actors and not handled, by kind"),
    ("smartcart_holds", "Holds that stand"),
    ("smartcart_shards_owned", "Shards that this process serves"),
    ("smartcart_journal_durability", "1 at the class that an answer has now, where the journal is in Redis"),
    ("smartcart_write_behind_lag_entries", "Journal entries that the tables have not got"),
    ("smartcart_write_behind_bytes", "Bytes that wait for the tables, about"),
    ("smartcart_write_behind_lag_seconds", "Age of the oldest change that the tables have not got"),
];
const HISTOGRAMS: [(&str, &str); 6] = [
    ("smartcart_http_request_duration_seconds", "From a request's head to its answer, by route and method"),
    ("smartcart_commit_duration_seconds", "One append to the journal, with its fsync"),
    ("smartcart_commit_batch_size", "Changes that one append made durable"),
    (
        "smartcart_shard_handover_duration_seconds",
        "From draining a shard to its new owner in the registry, for each shard handed over",
    ),
    // For one version more.
    ("smartcart_shard_handoff_duration_seconds", "The old name of smartcart_shard_handover_duration_seconds"),
    ("smartcart_flush_duration_seconds", "One round of bringing the tables up to date"),
];

static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("invalid histogram buckets: {0}")]
    Buckets(#[from] BuildError),
    #[error("this process already has a metrics recorder")]
    Taken,
}

pub fn install() -> Result<PrometheusHandle, InstallError> {
    let mut installed = HANDLE.lock();
    if let Some(handle) = installed.as_ref() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATIONS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)?
        .build_recorder();
    let handle = recorder.handle();
    ::metrics::set_global_recorder(recorder).map_err(|_| InstallError::Taken)?;
    describe();
    *installed = Some(handle.clone());
    Ok(handle)
}

/// Registers the help texts.
fn describe() {
    for (name, help) in COUNTERS {
        describe_counter!(name, help);
        counter!(name).absolute(0);
    }
    for (name, help) in LABELLED_COUNTERS {
        describe_counter!(name, help);
    }
    for (name, help) in GAUGES {
        describe_gauge!(name, help);
    }
    for (name, help) in HISTOGRAMS {
        describe_histogram!(name, help);
    }
}

/// Moves what was recorded into the histograms, so that it does not pile up between two scrapes.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}

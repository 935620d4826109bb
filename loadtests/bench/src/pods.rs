//! Pods of SmartCart on PostgreSQL.

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use smartcart_testkit::{metrics::Metrics, pod, ports::free_ports};

use crate::{child::Subject, settings::SETTINGS};

const SHARDS: f64 = 1024.0;
const SPREAD_WITHIN: Duration = Duration::from_secs(60);

/// Where pods of one fleet come from, one after the other.
#[derive(Debug)]
pub struct Pods(pod::Pods);

impl Pods {
    /// `settings` beside those that a bench needs.
    pub fn new(
        server: &Path,
        database: &str,
        directory: &Path,
        settings: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let own = SETTINGS.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = own.chain(settings.iter().cloned());
        Ok(Self(pod::Pods::new(server, database, directory, settings)?))
    }

    pub async fn start(&self, name: &str) -> anyhow::Result<Subject> {
        let ports: [_; 3] = free_ports(3)?.try_into().ok().context("three ports")?;
        Subject::start(self.0.prepare(name, ports.into())?)
            .await
            .with_context(|| format!("starting pod {name}"))
    }
}

/// Waits until the shards are spread over these pods and stay there.
pub async fn spread(pods: &[&Subject]) -> anyhow::Result<()> {
    let settled = async {
        let mut before = Vec::new();
        loop {
            let owned = owned(pods).await?;
            if is_spread(&owned) && owned == before {
                return anyhow::Ok(());
            }
            before = owned;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let last = tokio::time::timeout(SPREAD_WITHIN, settled).await;
    ensure!(last.is_ok(), "after {SPREAD_WITHIN:?} the shards are owned thus: {:?}", owned(pods).await?);
    last?
}

async fn owned(pods: &[&Subject]) -> anyhow::Result<Vec<f64>> {
    let mut owned = Vec::with_capacity(pods.len());
    for pod in pods {
        owned.push(Metrics::read(pod.launch.ops).await?.get("smartcart_shards_owned"));
    }
    Ok(owned)
}

/// Each pod has at least half of what is its part.
#[expect(clippy::float_arithmetic, reason = "metrics are floats")]
fn is_spread(owned: &[f64]) -> bool {
    let fair = SHARDS / owned.len() as f64;
    owned.iter().sum::<f64>() >= SHARDS && owned.iter().all(|owned| *owned >= fair / 2.0)
}

#[cfg(test)]
mod tests {
    use super::is_spread;

    #[test]
    fn shards_are_spread_when_each_pod_has_many_and_none_is_free() {
        assert!(is_spread(&[1024.0]));
        assert!(is_spread(&[500.0, 524.0]));
        assert!(!is_spread(&[1024.0, 0.0]));
        assert!(!is_spread(&[500.0, 500.0]));
    }
}

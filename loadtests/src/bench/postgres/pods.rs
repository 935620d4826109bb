//! Pods of SmartCart on PostgreSQL.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{
    bench::{child::Subject, metrics::Metrics},
    server::{Launch, free_ports},
};

const SHARDS: f64 = 1024.0;
const SPREAD_WITHIN: Duration = Duration::from_secs(60);

/// Where pods of one fleet come from, one after the other.
#[derive(Debug)]
pub struct Pods {
    server: PathBuf,
    database: String,
    directory: PathBuf,
    secret: PathBuf,
    settings: Vec<(String, String)>,
}

impl Pods {
    /// `settings` beside those that a bench needs.
    pub fn new(
        server: &Path,
        database: String,
        directory: &Path,
        settings: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let secret = directory.join("peer-secret");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&secret)?
            .write_all(b"the-secret-that-the-pods-of-a-bench-share-0123456789")?;
        let (server, directory) = (server.to_owned(), directory.to_owned());
        Ok(Self { server, database, directory, secret, settings: settings.to_vec() })
    }

    pub async fn start(&self, name: &str) -> anyhow::Result<Subject> {
        let ports = free_ports(3)?;
        let directory = self.directory.join(format!("pod-{name}"));
        fs::create_dir_all(&directory)?;
        let own = [
            ("DATABASE_URL", self.database.clone()),
            ("SMARTCART_POD", name.to_owned()),
            ("SMARTCART_PEER_LISTEN", ports[2].to_string()),
            ("SMARTCART_PEER_SECRET_FILE", self.secret.display().to_string()),
            ("SMARTCART_SEED", "none".to_owned()),
            ("SMARTCART_MAX_LINE_QUANTITY", i32::MAX.to_string()),
            // Zipf's first cart has a twelfth of the load: more connections than a cart may usually have.
            ("SMARTCART_MAX_IN_FLIGHT_PER_CART", "1024".to_owned()),
            ("SMARTCART_LOG", "warn".to_owned()),
        ];
        let given = self.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let settings: Vec<_> = own.into_iter().chain(given).collect();
        let launch = Launch::at(&self.server, &directory, [ports[0], ports[1]], &settings)?;
        Subject::start(launch).await.with_context(|| format!("starting pod {name}"))
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

//! What a scenario is given.

use std::path::PathBuf;

use smartcart_testkit::{
    fleet::{Fleet, Setup},
    redis,
};

#[derive(Debug, Clone)]
pub struct Options {
    /// The server's binary.
    pub server: PathBuf,
    /// The next version's.
    pub next: Option<PathBuf>,
    /// The binary `replay`, and the trade file.
    pub replay: PathBuf,
    pub trade: PathBuf,
    /// `scripts/postgres.sh`.
    pub postgres: PathBuf,
    /// When the journal is to be in a Redis.
    pub redis: Option<redis::Setup>,
    /// Where the scenario keeps everything.
    pub directory: PathBuf,
    /// A run of some seconds, for a build that is not optimised.
    pub short: bool,
    pub seed: u64,
    /// Takes the fence out of the database: what depends on it must then be found broken.
    pub without_fence: bool,
}

impl Options {
    pub(super) async fn fleet(&self, pods: usize) -> anyhow::Result<Fleet> {
        let setup = Setup {
            server: self.server.clone(),
            postgres: self.postgres.clone(),
            redis: self.redis.clone(),
            pods,
        };
        Fleet::new(&setup, &self.directory).await
    }

    pub(super) const fn short_or<T: Copy>(&self, short: T, long: T) -> T {
        if self.short { short } else { long }
    }
}

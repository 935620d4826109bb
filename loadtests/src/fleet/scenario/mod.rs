//! What can go wrong with a fleet, and what must then be true. Each scenario has a fleet of its own, and a verdict: one
//! line with its numbers, and the promises that were not kept.

mod backlog;
mod drain;
mod flapping;
mod flash_sale;
mod forgetful;
mod kill;
mod network;
mod outage;
mod redis;
mod replay;
mod rolling;
mod versions;
mod witness;
mod zombie;

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{Fleet, Setup};
use crate::chaos::{
    Violation, aftermath,
    client::{Answer, Outcome},
    load::Stage,
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
    /// `scripts/redis.sh`, when the journal is to be in a Redis.
    pub redis: Option<PathBuf>,
    /// Where the scenario keeps everything.
    pub directory: PathBuf,
    /// A run of some seconds, for a build that is not optimised.
    pub short: bool,
    pub seed: u64,
    /// Takes the fence out of the database: what depends on it must then be found broken.
    pub without_fence: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// `kill -9` of a pod under load, again and again.
    Kill,
    /// A pod is paused, declared dead, and wakes up.
    Zombie,
    /// PostgreSQL is away, and is restarted again and again.
    Postgres,
    /// Redis is away, frozen, restarted again and again, and comes back empty.
    Redis,
    /// Redis fails over to a replica that lacks the last entries and a seal, while the sealed pod wakes up.
    Forgetful,
    /// PostgreSQL is away for minutes, and what waits for it fills its memory.
    Backlog,
    /// Redis and PostgreSQL go away and come back again and again.
    Flapping,
    /// Every pod is restarted in good order; one joins and leaves. No request fails.
    Rolling,
    /// A deploy of the next version, and the way back.
    Versions,
    /// A crowd and one SKU, while a pod is killed.
    FlashSale,
    /// Real trade, while pods, Redis and PostgreSQL are restarted at random.
    Replay,
    /// A pod is cut off from PostgreSQL, both ways and one way.
    CutPostgres,
    /// The same, from its peers.
    CutPeers,
    /// From both.
    CutBoth,
    /// Answers of PostgreSQL to COMMIT are lost.
    LostCommits,
    /// Answers of Redis to appends are lost.
    LostAppends,
    /// How long a pod with many carts takes to hand them over.
    Drain,
}

#[derive(Debug, Default)]
pub struct Verdict {
    pub line: String,
    pub violations: Vec<Violation>,
}

impl Scenario {
    /// Whether it is about a journal in Redis.
    pub fn needs_redis(self) -> bool {
        matches!(self, Self::Redis | Self::Forgetful | Self::Backlog | Self::Flapping | Self::LostAppends)
    }

    pub async fn run(self, options: &Options) -> anyhow::Result<Verdict> {
        match self {
            Self::Kill => kill::run(options).await,
            Self::Zombie => zombie::run(options).await,
            Self::Postgres => outage::run(options).await,
            Self::Redis => redis::run(options).await,
            Self::Forgetful => forgetful::run(options).await,
            Self::Backlog => backlog::run(options).await,
            Self::Flapping => flapping::run(options).await,
            Self::Rolling => rolling::run(options).await,
            Self::Versions => versions::run(options).await,
            Self::FlashSale => flash_sale::run(options).await,
            Self::Replay => replay::run(options).await,
            Self::CutPostgres => network::cut_postgres(options).await,
            Self::CutPeers => network::cut_peers(options).await,
            Self::CutBoth => network::cut_both(options).await,
            Self::LostCommits => network::lost_commits(options).await,
            Self::LostAppends => network::lost_appends(options).await,
            Self::Drain => drain::run(options).await,
        }
    }
}

impl Options {
    async fn fleet(&self, pods: usize) -> anyhow::Result<Fleet> {
        let setup = Setup {
            server: self.server.clone(),
            postgres: self.postgres.clone(),
            redis: self.redis.clone(),
            pods,
        };
        Fleet::new(&setup, &self.directory).await
    }

    const fn short_or<T: Copy>(&self, short: T, long: T) -> T {
        if self.short { short } else { long }
    }
}

impl Verdict {
    fn violation(&mut self, rule: &'static str, what: impl Into<String>) {
        self.violations.push(Violation::new(rule, what));
    }

    /// Everything the clients know, once more; then the fleet ends in good order, and the server's own audit agrees.
    async fn finish(&mut self, fleet: &mut Fleet, stage: Option<&Arc<Stage>>) -> anyhow::Result<()> {
        if let Some(stage) = stage {
            self.violations.extend(aftermath::judge_everything(stage).await);
        }
        fleet.check_alive()?;
        fleet.level().await?;
        if let Err(error) = fleet.finish().await {
            self.violation("finish", format!("{error:#}"));
        }
        Ok(())
    }
}

/// The smallest, the middle and the largest, in milliseconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |index: usize| times.get(index).map_or(0, Duration::as_millis);
    format!("{} / {} / {} ms", at(0), at(times.len() / 2), at(times.len().saturating_sub(1)))
}

fn expect_done(outcome: Outcome) -> anyhow::Result<Answer> {
    match outcome {
        Outcome::Acknowledged(answer) => Ok(answer),
        other => anyhow::bail!("unexpected: {other:?}"),
    }
}

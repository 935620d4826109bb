//! What can go wrong with a fleet, and what must then be true. Each scenario has a fleet of its own, and a verdict: one
//! line with its numbers, and the promises that were not kept.

mod backlog;
mod drain;
mod flapping;
mod flash_sale;
mod forgetful;
mod kill;
mod network;
mod options;
mod outage;
mod redis;
mod replay;
mod rolling;
mod verdict;
mod versions;
mod witness;
mod zombie;

pub use options::Options;
pub use verdict::Verdict;

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
    /// How long a pod with many carts takes for their handover.
    Drain,
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

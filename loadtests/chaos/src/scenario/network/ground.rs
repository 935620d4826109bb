//! What the scenarios of a failing network have in common: a fleet with a proxy at every pod, and what goes on while one of
//! them is cut off.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use rand::RngExt as _;
use smartcart_testkit::{
    fleet::Fleet,
    proxy::{Flow, Network, Proxy},
    random::Rng,
    redis::Redis,
};
use tokio::time::sleep;

use super::{
    super::{options::Options, verdict::Verdict},
    ping::Pinging,
};
use crate::{
    fleet::{Load, Pace, open_shop},
    load::Mix,
    session::Session,
};

pub(super) const PODS: usize = 3;
pub(super) const CALM: Duration = Duration::from_secs(1);
/// A request that needs a pod out of reach, or comes to one that is cut off, has its answer within this.
pub(super) const REFUSED_WITHIN: Duration = Duration::from_secs(6);

/// What the cuts of a scenario have in common.
pub(super) struct Ground {
    pub(super) fleet: Fleet,
    pub(super) networks: Networks,
    pub(super) session: Arc<Session>,
    pub(super) pace: Pace,
    pub(super) verdict: Verdict,
}

/// What goes on while a pod is cut off, from a moment before.
pub(super) struct Round {
    pub(super) victim: usize,
    pub(super) other: usize,
    pub(super) load: Load,
    pub(super) pinging: Pinging,
}

impl Ground {
    pub(super) async fn prepare(options: &Options) -> anyhow::Result<Self> {
        let mut fleet = options.fleet(PODS).await?;
        let networks = Networks::around(&mut fleet, options.seed).await?;
        fleet.start_all().await?;
        let session = open_shop(&fleet).await?;
        let pace = options.short_or(Pace { clients: 12, rate: 60 }, Pace { clients: 48, rate: 300 });
        Ok(Self { fleet, networks, session, pace, verdict: Verdict::default() })
    }

    /// The load on all pods, and pings at one of them and at another.
    pub(super) async fn begin(&self, rng: &mut Rng) -> anyhow::Result<Round> {
        let victim = rng.random_range(0..PODS);
        let other = (victim + 1) % PODS;
        let mix = Mix { short_holds: false, checkouts: true };
        let load = Load::start(&self.session, self.pace, mix, rng).await;
        let pinging = Pinging::start(&self.session, &self.fleet, victim, other).await?;
        sleep(CALM).await;
        Ok(Round { victim, other, load, pinging })
    }
}

/// How a pod loses touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Connections are reset, and nobody listens.
    Reset,
    /// What is sent arrives when it is over.
    Partition,
    /// What is sent never arrives, and no connection survives.
    Forgotten,
    /// One way: what the pod sends arrives when it is over; what it is sent arrives.
    Outward,
    /// One way: what the pod sends arrives; what it is sent arrives when it is over.
    Inward,
}

impl Cut {
    pub(super) const ALL: [Self; 5] =
        [Self::Inward, Self::Partition, Self::Outward, Self::Reset, Self::Forgotten];

    /// For connections that the pod has opened, or that others have opened to it.
    pub(super) const fn network(self, opened_by_pod: bool) -> Network {
        match (self, opened_by_pod) {
            (Self::Reset, _) => Network::CUT,
            (Self::Partition, _) => Network::flows(Flow::Hold, Flow::Hold),
            (Self::Forgotten, _) => Network::flows(Flow::Drop, Flow::Drop),
            (Self::Outward, true) | (Self::Inward, false) => Network::flows(Flow::Hold, Flow::Pass),
            (Self::Outward, false) | (Self::Inward, true) => Network::flows(Flow::Pass, Flow::Hold),
        }
    }
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reset => "connections reset",
            Self::Partition => "both ways, held",
            Self::Forgotten => "both ways, lost",
            Self::Outward => "outward only",
            Self::Inward => "inward only",
        })
    }
}

/// The proxies of a fleet, by pod.
#[derive(Debug)]
pub(super) struct Networks {
    pub(super) postgres: Vec<Proxy>,
    /// None without a Redis.
    pub(super) redis: Vec<Proxy>,
    pub(super) peers: Vec<Proxy>,
}

impl Networks {
    /// Before the pods start.
    pub(super) async fn around(fleet: &mut Fleet, seed: u64) -> anyhow::Result<Self> {
        let (mut postgres, mut redis, mut peers) = (Vec::new(), Vec::new(), Vec::new());
        let journal = fleet.redis.as_ref().map(|redis| redis.address);
        for (pod, seed) in (0..fleet.len()).zip(seed..) {
            let to_postgres = Proxy::of_postgres(fleet.postgres.address, seed).await?;
            fleet.set(pod, "DATABASE_URL", fleet.postgres.url_at(to_postgres.address()));
            postgres.push(to_postgres);
            if let Some(journal) = journal {
                let to_redis = Proxy::of_redis(journal, seed).await?;
                fleet.set(pod, "SMARTCART_JOURNAL_URL", Redis::url_at(to_redis.address()));
                redis.push(to_redis);
            }
            let to_pod = Proxy::by_process(fleet.peer(pod)).await?;
            fleet.set(pod, "SMARTCART_PEER_ADVERTISE", to_pod.address().to_string());
            peers.push(to_pod);
        }
        Ok(Self { postgres, redis, peers })
    }

    pub(super) fn cut_postgres(&self, pod: usize, cut: Cut) {
        self.postgres[pod].set(cut.network(true));
    }

    /// Between a running pod and all others.
    pub(super) fn cut_peers(&self, fleet: &Fleet, pod: usize, cut: Cut) -> anyhow::Result<()> {
        let process = fleet.pid(pod).context("who is cut off runs")?;
        for (other, proxy) in self.peers.iter().enumerate() {
            if other == pod {
                proxy.set(cut.network(false));
            } else {
                proxy.set_for(process, cut.network(true));
            }
        }
        Ok(())
    }

    pub(super) fn heal(&self) {
        for proxy in self.postgres.iter().chain(&self.redis).chain(&self.peers) {
            proxy.heal();
        }
    }
}

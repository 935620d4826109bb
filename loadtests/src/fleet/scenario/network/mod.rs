//! Pods whose networks fail: each has a proxy of its own to PostgreSQL, and one in front of its listener for peers.

mod isolated;
mod lost_commits;
mod ping;
mod unreachable;

pub(super) use isolated::{cut_both, cut_postgres};
pub(super) use lost_commits::run as lost_commits;
pub(super) use unreachable::run as cut_peers;

use anyhow::Context;

use crate::{
    fleet::Fleet,
    proxy::{Flow, Network, Proxy, postgres::Losses},
};

/// How a pod loses touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
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
    const ALL: [Self; 5] = [Self::Inward, Self::Partition, Self::Outward, Self::Reset, Self::Forgotten];

    /// For connections that the pod has opened, or that others have opened to it.
    const fn network(self, opened_by_pod: bool) -> Network {
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
struct Networks {
    postgres: Vec<Proxy>,
    peers: Vec<Proxy>,
}

impl Networks {
    /// Before the pods start.
    async fn around(fleet: &mut Fleet, seed: u64) -> anyhow::Result<Self> {
        let (mut postgres, mut peers) = (Vec::new(), Vec::new());
        for (pod, seed) in (0..fleet.len()).zip(seed..) {
            let to_postgres = Proxy::of_postgres(fleet.postgres.address, seed).await?;
            fleet.set(pod, "DATABASE_URL", fleet.postgres.url_at(to_postgres.address()));
            postgres.push(to_postgres);
            let to_pod = Proxy::by_process(fleet.peer(pod)).await?;
            fleet.set(pod, "SMARTCART_PEER_ADVERTISE", to_pod.address().to_string());
            peers.push(to_pod);
        }
        Ok(Self { postgres, peers })
    }

    fn cut_postgres(&self, pod: usize, cut: Cut) {
        self.postgres[pod].set(cut.network(true));
    }

    /// Between a running pod and all others.
    fn cut_peers(&self, fleet: &Fleet, pod: usize, cut: Cut) -> anyhow::Result<()> {
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

    fn heal(&self) {
        for proxy in self.postgres.iter().chain(&self.peers) {
            proxy.heal();
        }
    }

    /// How each pod's answers to commits are lost.
    fn losses(&self) -> impl Iterator<Item = &Losses> {
        self.postgres.iter().filter_map(Proxy::losses)
    }
}

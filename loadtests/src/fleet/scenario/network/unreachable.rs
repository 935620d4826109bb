//! A pod that has lost its peers and not PostgreSQL: it lives, and serves its own clients; nobody takes its shards. When
//! the network heals everything goes on, and no pod needs a restart.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::time::sleep;

use super::{
    super::{Options, Verdict, spread},
    Cut, Networks,
    ping::{Door, Pinging, Sent},
};
use crate::{
    chaos::{
        aftermath,
        load::{Mix, Stage},
    },
    fleet::{Fleet, Load, Pace, open_shop},
    rng::Rng,
};

const PODS: usize = 3;
const CALM: Duration = Duration::from_secs(1);
/// After the network has healed, pods serve each other's shards again within this.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// A request that needs a pod out of reach has its answer within this.
const REFUSED_WITHIN: Duration = Duration::from_secs(6);

pub(in super::super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let mut fleet = options.fleet(PODS).await?;
    let networks = Networks::around(&mut fleet, options.seed).await?;
    fleet.start_all().await?;
    let stage = open_shop(&fleet).await?;
    let pace = options.short_or(Pace { clients: 12, rate: 60 }, Pace { clients: 48, rate: 300 });
    // Longer than a silence that makes a pod suspicious.
    let length = options.short_or(Duration::from_secs(7), Duration::from_secs(20));
    let cuts = options.short_or(&[Cut::Outward][..], &Cut::ALL);
    let before = Standing::of(&fleet).await?;
    let mut ground = Ground { fleet, networks, stage, pace, length, verdict: Verdict::default() };
    let mut sums = Sums::default();
    for (round, cut) in (1..).zip(cuts) {
        let mut rng = Rng::new(options.seed).fork(round);
        ground.round(*cut, &mut rng, &mut sums).await.with_context(|| format!("{cut}"))?;
        let now = Standing::of(&ground.fleet).await?;
        if now != before {
            ground.verdict.violation("not_as_before", format!("{cut}: pods or owners have changed"));
        }
        if !ground.verdict.violations.is_empty() {
            break;
        }
    }
    let Ground { mut fleet, stage, mut verdict, .. } = ground;
    verdict.line = format!(
        "{} cuts of {} s, {} requests; {} pings at its own door, the slowest after {} ms; {} of {} for \
         its shards at another door refused, the slowest after {} ms; healed, served again after (min / median / max) {}",
        sums.back.len(),
        length.as_secs(),
        sums.requests,
        sums.own,
        sums.slowest_own.as_millis(),
        sums.refused,
        sums.other,
        sums.slowest_other.as_millis(),
        spread(sums.back)
    );
    verdict.finish(&mut fleet, Some(&stage)).await?;
    Ok(verdict)
}

struct Ground {
    fleet: Fleet,
    networks: Networks,
    stage: Arc<Stage>,
    pace: Pace,
    length: Duration,
    verdict: Verdict,
}

#[derive(Default)]
struct Sums {
    requests: usize,
    own: usize,
    slowest_own: Duration,
    other: usize,
    refused: usize,
    slowest_other: Duration,
    back: Vec<Duration>,
}

impl Sums {
    fn add(&mut self, requests: usize, own: &Sent<'_>, others: &Sent<'_>, back: Duration) {
        self.requests += requests;
        self.own += own.count();
        self.slowest_own = self.slowest_own.max(own.longest());
        self.other += others.count();
        self.refused += others.failures().len();
        self.slowest_other = self.slowest_other.max(others.longest());
        self.back.push(back);
    }
}

/// Who is there, and who owns what.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    incarnations: Vec<String>,
    owners: Vec<Option<String>>,
}

impl Standing {
    async fn of(fleet: &Fleet) -> anyhow::Result<Self> {
        let mut incarnations = Vec::new();
        for pod in 0..PODS {
            incarnations.push(fleet.incarnation(pod).await?);
        }
        Ok(Self { incarnations, owners: fleet.owners(0).await? })
    }
}

impl Ground {
    async fn round(&mut self, cut: Cut, rng: &mut Rng, sums: &mut Sums) -> anyhow::Result<()> {
        let victim = rng.below(PODS);
        let other = (victim + 1) % PODS;
        let mix = Mix { short_holds: false, checkouts: true };
        let load = Load::start(&self.stage, self.pace, mix, rng).await;
        let pinging = Pinging::start(&self.stage, &self.fleet, victim, other).await?;
        sleep(CALM).await;
        self.networks.cut_peers(&self.fleet, victim, cut)?;
        let cut_at = Instant::now();
        sleep(self.length).await;
        self.networks.heal();
        let healed = Instant::now();
        sleep(BACK_WITHIN).await;
        let pings = pinging.stop().await?;
        load.stop().await?;
        self.fleet.check_alive()?;

        let (own, others) =
            (pings.sent(Door::Own, cut_at, Instant::now()), pings.sent(Door::Other, cut_at, healed));
        self.check_pings(cut, &own, &others);
        let back = pings.first_acknowledged(Door::Other, healed);
        let back = back.with_context(|| format!("not served again within {BACK_WITHIN:?}"))?;
        pings.check_reads(&mut self.verdict);
        let (again, made) = pings.settle(&self.stage, &mut self.verdict).await?;
        let requests = self.stage.world().journal.len();
        let findings = aftermath::judge(&self.stage, rng).await;
        println!(
            "  {cut}: pod {}: {} pings at its own door, the slowest after {} ms; {} of {} at another refused, the slowest \
             after {} ms; served again after {} ms; {requests} requests, {} and {again} pings sent again ({} and {made} had \
             been made); settled in {} ms; {} violations",
            self.fleet.name(victim),
            own.count(),
            own.longest().as_millis(),
            others.failures().len(),
            others.count(),
            others.longest().as_millis(),
            back.as_millis(),
            findings.retried,
            findings.replayed,
            findings.settled_after.as_millis(),
            findings.violations.len()
        );
        self.verdict.violations.extend(findings.violations);
        sums.add(requests, &own, &others, back);
        Ok(())
    }

    /// Its own clients are served all the time; whoever needs it and cannot reach it is refused, and soon.
    fn check_pings(&mut self, cut: Cut, own: &Sent<'_>, others: &Sent<'_>) {
        if let Some(first) = own.failures().first() {
            self.verdict.violation("own_clients_failed", format!("{cut}: {first}"));
        }
        if let Some(first) = others.unclean().first() {
            self.verdict.violation("not_refused", format!("{cut}: {first}"));
        }
        if others.longest() > REFUSED_WITHIN {
            self.verdict.violation("refused_late", format!("{cut}: {:?}", others.longest()));
        }
        if others.failures().is_empty() {
            self.verdict.violation("not_exercised", format!("{cut}: nobody noticed it"));
        }
    }
}

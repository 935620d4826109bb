//! A pod that has lost its peers and not PostgreSQL: it lives, and serves its own clients; nobody takes its shards. When
//! the network heals everything goes on, and no pod needs a restart.

use std::time::{Duration, Instant};

use anyhow::Context;
use smartcart_testkit::{
    fleet::Fleet,
    random::{Fork as _, Rng, seeded},
    report::spread,
};
use tokio::time::sleep;

use super::{
    super::{options::Options, verdict::Verdict},
    ground::{Cut, Ground, PODS, REFUSED_WITHIN, Round},
    ping::{Endpoint, Sent},
};
use crate::verify;

/// After the network has healed, pods serve each other's shards again within this.
const BACK_WITHIN: Duration = Duration::from_secs(5);

pub(in super::super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let ground = Ground::prepare(options).await?;
    // Longer than the suspicion timeout.
    let length = options.short_or(Duration::from_secs(7), Duration::from_secs(20));
    let cuts = options.short_or(&[Cut::Outward][..], &Cut::ALL);
    let before = Ownership::of(&ground.fleet).await?;
    let mut unreachable = Unreachable { ground, length };
    let mut sums = Sums::default();
    for (round, cut) in (1..).zip(cuts) {
        let mut rng = seeded(options.seed).fork(round);
        unreachable.round(*cut, &mut rng, &mut sums).await.with_context(|| format!("{cut}"))?;
        let now = Ownership::of(&unreachable.ground.fleet).await?;
        if now != before {
            unreachable
                .ground
                .verdict
                .violation("not_as_before", format!("{cut}: pods or owners have changed"));
        }
        if !unreachable.ground.verdict.violations.is_empty() {
            break;
        }
    }
    let Ground { mut fleet, session, mut verdict, .. } = unreachable.ground;
    verdict.line = format!(
        "{} cuts of {} s, {} requests; {} pings at its own endpoint, the slowest after {} ms; {} of {} for \
         its shards at another endpoint refused, the slowest after {} ms; healed, served again after (min / median / max) {}",
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
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

struct Unreachable {
    ground: Ground,
    /// Of each cut.
    length: Duration,
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
struct Ownership {
    incarnations: Vec<String>,
    owners: Vec<Option<String>>,
}

impl Ownership {
    async fn of(fleet: &Fleet) -> anyhow::Result<Self> {
        let mut incarnations = Vec::new();
        for pod in 0..PODS {
            incarnations.push(fleet.incarnation(pod).await?);
        }
        Ok(Self { incarnations, owners: fleet.owners(0).await? })
    }
}

impl Unreachable {
    async fn round(&mut self, cut: Cut, rng: &mut Rng, sums: &mut Sums) -> anyhow::Result<()> {
        let Round { victim, load, pinging, .. } = self.ground.begin(rng).await?;
        self.ground.networks.cut_peers(&self.ground.fleet, victim, cut)?;
        let cut_at = Instant::now();
        sleep(self.length).await;
        self.ground.networks.heal();
        let healed = Instant::now();
        sleep(BACK_WITHIN).await;
        let pings = pinging.stop().await?;
        load.stop().await?;
        self.ground.fleet.check_alive()?;

        let (own, others) =
            (pings.sent(Endpoint::Own, cut_at, Instant::now()), pings.sent(Endpoint::Other, cut_at, healed));
        self.check_pings(cut, &own, &others);
        let back = pings.first_acknowledged(Endpoint::Other, healed);
        let back = back.with_context(|| format!("not served again within {BACK_WITHIN:?}"))?;
        pings.check_reads(&mut self.ground.verdict);
        let (again, made) = pings.settle(&self.ground.session, &mut self.ground.verdict).await?;
        let requests = self.ground.session.history().journal.len();
        let findings = verify::round(&self.ground.session, rng).await;
        println!(
            "  {cut}: pod {}: {} pings at its own endpoint, the slowest after {} ms; {} of {} at another refused, the slowest \
             after {} ms; served again after {} ms; {requests} requests, {} and {again} pings sent again ({} and {made} had \
             been made); settled in {} ms; {} violations",
            self.ground.fleet.name(victim),
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
        self.ground.verdict.violations.extend(findings.violations);
        sums.add(requests, &own, &others, back);
        Ok(())
    }

    /// Its own clients are served all the time; whoever needs it and cannot reach it is refused, and soon.
    fn check_pings(&mut self, cut: Cut, own: &Sent<'_>, others: &Sent<'_>) {
        if let Some(first) = own.failures().first() {
            self.ground.verdict.violation("own_clients_failed", format!("{cut}: {first}"));
        }
        if let Some(first) = others.unclean().first() {
            self.ground.verdict.violation("not_refused", format!("{cut}: {first}"));
        }
        if others.longest() > REFUSED_WITHIN {
            self.ground.verdict.violation("refused_late", format!("{cut}: {:?}", others.longest()));
        }
        if others.failures().is_empty() {
            self.ground.verdict.violation("not_exercised", format!("{cut}: nobody noticed it"));
        }
    }
}

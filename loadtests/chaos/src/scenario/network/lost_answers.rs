//! PostgreSQL commits, or Redis appends, and the answer is lost, five times in a hundred: nothing is lost with it, and nothing
//! comes twice. Meanwhile a pod is killed and one is stopped, so that takeover and handover lose answers too.

use std::time::Duration;

use rand::RngExt as _;
use smartcart_testkit::{
    fleet::Fleet,
    proxy::{Losses, Proxy},
    random::{Fork as _, Rng, seeded},
};
use tokio::time::sleep;

use super::{
    super::{options::Options, verdict::Verdict},
    ground::{Networks, PODS},
};
use crate::{
    fleet::{Load, Pace, open_shop},
    load::Mix,
    verify,
};

const PERCENT: u64 = 5;
const BALANCED_WITHIN: Duration = Duration::from_secs(60);

/// Whose answers are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loser {
    Postgres,
    Redis,
}

pub(in super::super) async fn lost_commits(options: &Options) -> anyhow::Result<Verdict> {
    run(options, Loser::Postgres).await
}

pub(in super::super) async fn lost_appends(options: &Options) -> anyhow::Result<Verdict> {
    run(options, Loser::Redis).await
}

async fn run(options: &Options, loser: Loser) -> anyhow::Result<Verdict> {
    let (rounds, length, pace) = options.short_or(
        (1, Duration::from_secs(6), Pace { clients: 24, rate: 120 }),
        (3, Duration::from_secs(20), Pace { clients: 96, rate: 500 }),
    );
    let mut fleet = options.fleet(PODS).await?;
    let networks = Networks::around(&mut fleet, options.seed).await?;
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    let mut verdict = Verdict::default();
    let (mut requests, mut indeterminate, mut again, mut made) = (0, 0, 0, 0);
    for round in 1..=rounds {
        let mut rng = seeded(options.seed).fork(round);
        lose(loser, &networks, PERCENT);
        let mix = Mix { short_holds: false, checkouts: true };
        let load = Load::start(&session, pace, mix, &rng).await;
        sleep(length / 2).await;
        disturb(&mut fleet, loser.proxies(&networks), &mut rng).await?;
        sleep(length / 2).await;
        load.stop().await?;
        fleet.check_alive()?;
        let doubts = session.history().journal.iter().filter(|entry| entry.is_indeterminate()).count();
        let sent = session.history().journal.len();
        // What is sent again, and what is settled behind the answers, meets the same losses.
        let findings = verify::round(&session, &mut rng).await;
        lose(loser, &networks, 0);
        println!(
            "  round {round}: {sent} requests, {doubts} indeterminate, {} sent again ({} had been made), {} repeated; settled in {} ms; \
             {} violations",
            findings.retried,
            findings.replayed,
            findings.repeated,
            findings.settled_after.as_millis(),
            findings.violations.len()
        );
        requests += sent;
        indeterminate += doubts;
        again += findings.retried;
        made += findings.replayed;
        verdict.violations.extend(findings.violations);
        if !verdict.violations.is_empty() {
            break;
        }
    }
    let lost = Lost::of(loser.losses(&networks));
    // With a journal in Redis no append is PostgreSQL's.
    lost.check(loser == Loser::Redis || options.redis.is_none(), &mut verdict);
    verdict.line = format!(
        "{requests} requests, {indeterminate} indeterminate ({again} sent again, {made} had been made); of {} answers to \
         commits {} were lost, {} of them to appends",
        lost.commits, lost.lost, lost.appends
    );
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

impl Loser {
    /// By pod.
    const fn proxies(self, networks: &Networks) -> &Vec<Proxy> {
        match self {
            Self::Postgres => &networks.postgres,
            Self::Redis => &networks.redis,
        }
    }

    fn losses(self, networks: &Networks) -> impl Iterator<Item = &Losses> {
        self.proxies(networks).iter().filter_map(Proxy::losses)
    }
}

fn lose(loser: Loser, networks: &Networks, percent: u64) {
    for losses in loser.losses(networks) {
        losses.lose(percent);
    }
}

/// A pod dies and comes back, and another leaves and comes back. A pod that cannot start because an answer was lost would
/// be started again by whoever runs it: starts lose none.
async fn disturb(fleet: &mut Fleet, proxies: &[Proxy], rng: &mut Rng) -> anyhow::Result<()> {
    let dies = rng.random_range(0..PODS);
    let leaves = (dies + 1) % PODS;
    fleet.kill(dies).await?;
    start(fleet, &proxies[dies], dies).await?;
    fleet.stop(leaves).await?;
    start(fleet, &proxies[leaves], leaves).await
}

async fn start(fleet: &mut Fleet, proxy: &Proxy, pod: usize) -> anyhow::Result<()> {
    let losses = proxy.losses();
    losses.inspect(|losses| losses.lose(0));
    fleet.start(pod).await?;
    losses.inspect(|losses| losses.lose(PERCENT));
    fleet.balanced(BALANCED_WITHIN).await
}

/// Over all pods.
#[derive(Debug, Default)]
struct Lost {
    commits: u64,
    lost: u64,
    appends: u64,
    unreadable: u64,
}

impl Lost {
    fn of<'a>(losses: impl Iterator<Item = &'a Losses>) -> Self {
        losses.fold(Self::default(), |sum, losses| Self {
            commits: sum.commits + losses.commits(),
            lost: sum.lost + losses.lost(),
            appends: sum.appends + losses.appends_lost(),
            unreadable: sum.unreadable + losses.unreadable(),
        })
    }

    fn check(&self, appends_commit: bool, verdict: &mut Verdict) {
        // Half of what is expected at least: a run that lost little proves little.
        if self.lost * 200 < self.commits * PERCENT || (self.appends == 0) == appends_commit {
            verdict.violation("not_exercised", format!("{self:?}"));
        }
        if self.unreadable > 0 {
            verdict.violation("unreadable", format!("{} connections could not be followed", self.unreadable));
        }
    }
}

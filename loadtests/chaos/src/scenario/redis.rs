use std::time::{Duration, Instant};

use anyhow::Context;
use rand::RngExt as _;
use smartcart_testkit::{
    fleet::Fleet,
    random::{Fork as _, seeded},
    report::spread,
};
use tokio::time::sleep;

use super::{options::Options, verdict::Verdict};
use crate::{
    fleet::{Load, Pace, Probes, open_shop},
    load::Mix,
};

const PODS: usize = 3;
const PROBES: usize = 48;
/// The pods go over to PostgreSQL, or back over a new connection, within this.
const BACK_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Killed, and away for a while.
    Away,
    Frozen,
    Restarted,
    /// Killed, and back with nothing.
    Empty,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (rounds, away, pace) = options.short_or(
        (1, Duration::from_secs(4), Pace { clients: 24, rate: 100 }),
        (5, Duration::from_secs(15), Pace { clients: 96, rate: 500 }),
    );
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    let probes = Probes::create(&session, PROBES).await?;
    let mut rng = seeded(options.seed);
    let mut verdict = Verdict::default();
    let mut lines = Vec::new();
    for fault in [Fault::Away, Fault::Frozen, Fault::Restarted, Fault::Empty] {
        let load =
            Load::start(&session, pace, Mix { short_holds: false, checkouts: true }, &rng.fork(1)).await;
        let mut backs = Vec::new();
        for _ in 0..rounds * if matches!(fault, Fault::Restarted) { 4 } else { 1 } {
            sleep(Duration::from_millis(rng.random_range(500..=2_000))).await;
            backs.push(suffer(&mut fleet, &probes, fault, away).await?);
        }
        load.stop().await?;
        if backs.iter().any(|back| *back > BACK_WITHIN) {
            verdict.violation("back_late", format!("{fault:?}: changes were taken again after {backs:?}"));
        }
        lines.push(format!("{fault:?}, taken again after {}", spread(backs)));
        super::outage::judge(&fleet, &probes, &mut verdict, &mut rng).await;
    }
    verdict.line = format!("Redis (min / median / max): {}", lines.join("; "));
    fleet.check_alive()?;
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

/// How long until every shard took changes again.
async fn suffer(
    fleet: &mut Fleet,
    probes: &Probes,
    fault: Fault,
    away: Duration,
) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let server = fleet.redis.as_mut().context("the journal is in no Redis")?;
    match fault {
        Fault::Away => server.kill()?,
        Fault::Frozen => server.freeze(true)?,
        Fault::Restarted => {
            server.kill()?;
            server.start().await?;
        }
        Fault::Empty => {
            server.kill()?;
            server.start_empty().await?;
        }
    }
    let back = probes.all_served(began, BACK_WITHIN * 2).await?;
    if matches!(fault, Fault::Away | Fault::Frozen) {
        sleep(away.saturating_sub(began.elapsed())).await;
    }
    match fault {
        Fault::Away => server.start().await?,
        Fault::Frozen => server.freeze(false)?,
        Fault::Restarted | Fault::Empty => {}
    }
    Ok(back)
}

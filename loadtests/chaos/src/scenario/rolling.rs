use std::{collections::BTreeMap, sync::Arc, time::Duration};

use smartcart_testkit::{
    fleet::Fleet,
    random::{Fork as _, Rng, seeded},
    report::spread,
};
use tokio::time::sleep;

use super::{options::Options, verdict::Verdict};
use crate::{
    client::Outcome,
    fleet::{Balancer, Load, Pace, open_shop},
    journal::Meaning,
    load::Mix,
    session::Session,
    shard::shard_of_cart,
    verify,
};

const PODS: usize = 3;
/// The pod that joins and leaves.
const GUEST: usize = 3;
const BALANCED_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (pace, calm) = options.short_or(
        (Pace { clients: 24, rate: 100 }, Duration::from_secs(1)),
        (Pace { clients: 96, rate: 500 }, Duration::from_secs(5)),
    );
    let mut fleet = options.fleet(PODS + 1).await?;
    fleet.start_some(PODS).await?;
    let session = open_shop(&fleet).await?;
    let ops = (0..fleet.len()).map(|pod| fleet.ops(pod)).collect();
    let _balancer = Balancer::start(&session.endpoints, ops).await;
    let mut rng = seeded(options.seed);
    let mut verdict = Verdict::default();
    let mix = Mix { short_holds: false, checkouts: true };

    let load = Load::start(&session, pace, mix, &rng.fork(1)).await;
    sleep(calm).await;
    let mut stops = Vec::new();
    for pod in 0..PODS {
        stops.push(fleet.stop(pod).await?);
        fleet.start(pod).await?;
        fleet.balanced(BALANCED_WITHIN).await?;
        sleep(calm).await;
    }
    load.stop().await?;
    let rolled = part(&session, &mut verdict, "the roll", &mut rng).await?;

    let load = Load::start(&session, pace, mix, &rng.fork(2)).await;
    sleep(calm).await;
    join_and_leave(&mut fleet, &mut stops, calm).await?;
    load.stop().await?;
    let visited = part(&session, &mut verdict, "the fourth pod's visit", &mut rng).await?;

    verdict.line = format!(
        "at {} requests a second, pods stopped in (min / median / max) {}; all three restarted: {rolled}; a fourth \
         joined and left: {visited}",
        pace.rate,
        spread(stops)
    );
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

async fn join_and_leave(fleet: &mut Fleet, stops: &mut Vec<Duration>, calm: Duration) -> anyhow::Result<()> {
    fleet.start(GUEST).await?;
    fleet.balanced(BALANCED_WITHIN).await?;
    sleep(calm).await;
    stops.push(fleet.stop(GUEST).await?);
    fleet.balanced(BALANCED_WITHIN).await?;
    sleep(calm).await;
    Ok(())
}

/// Counts what failed, and how long things took; then the clients' journal is judged.
pub(super) async fn part(
    session: &Arc<Session>,
    verdict: &mut Verdict,
    what: &'static str,
    rng: &mut Rng,
) -> anyhow::Result<String> {
    let (mut times, mut by_shard) = (session.take_read_times(), BTreeMap::<usize, Duration>::new());
    let mut failed = session.take_failed_reads();
    {
        let history = session.history();
        for entry in &history.journal {
            times.push(entry.first.took);
            if let Outcome::Indeterminate(why) = &entry.first.outcome {
                failed.push(format!("{} {}: {why}", entry.request.method, entry.request.path));
            }
            if let Meaning::Change { cart, .. } | Meaning::Checkout { cart, .. } = entry.meaning {
                let longest = by_shard.entry(shard_of_cart(&history.carts[cart].id)?).or_default();
                *longest = (*longest).max(entry.first.took);
            }
        }
    }
    let not_sent = session.take_not_sent();
    if not_sent > 0 {
        failed.push(format!("{not_sent} requests found no pod ready"));
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).map_or(0, Duration::as_millis);
    let slowest = by_shard.iter().max_by_key(|(_, took)| **took);
    let line = format!(
        "{} requests, {} failed, median {} ms, p99 {} ms, p999 {} ms, longest pause {} ms (shard {})",
        times.len(),
        failed.len(),
        at(500),
        at(990),
        at(999),
        slowest.map_or(0, |(_, took)| took.as_millis()),
        slowest.map_or(0, |(shard, _)| *shard)
    );
    println!("  {what}: {line}");
    for failure in failed.iter().take(10) {
        println!("  failed in {what}: {failure}");
    }
    if !failed.is_empty() {
        verdict.violation("failed_requests", format!("{} requests failed in {what}", failed.len()));
    }
    verdict.violations.extend(verify::round(session, rng).await.violations);
    Ok(line)
}

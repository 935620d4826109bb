use std::time::{Duration, Instant};

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
    journal::Entry,
    load::Mix,
    verify,
};

const PODS: usize = 3;
/// Every shard is served again this long after a kill.
const BACK_WITHIN: Duration = Duration::from_secs(15);
const PROBES: usize = 96;

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (kills, pace) =
        options.short_or((3, Pace { clients: 24, rate: 120 }), (20, Pace { clients: 96, rate: 500 }));
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    let probes = Probes::create(&session, PROBES).await?;
    let (mut verdict, mut back) = (Verdict::default(), Vec::new());
    let (mut requests, mut indeterminate, mut made) = (0, 0, 0);
    for round in 1..=kills {
        let mut rng = seeded(options.seed).fork(round);
        let load = Load::start(&session, pace, Mix::draw(&mut rng), &rng).await;
        sleep(Duration::from_millis(rng.random_range(500..=options.short_or(1_000, 4_000)))).await;
        let victim = rng.random_range(0..PODS);
        session.kill_switch.hold(fleet.take(victim)?);
        if rng.random_ratio(60, 100) {
            session.kill_switch.arm().await;
        }
        session.kill_switch.kill().await?;
        let killed = Instant::now();
        let served = probes.all_served(killed, BACK_WITHIN * 2).await?;
        check_owners(&fleet, victim, &mut verdict).await?;
        if served > BACK_WITHIN {
            verdict.violation("back_late", format!("some shard was not served for {served:?}"));
        }
        back.push(served);
        sleep(Duration::from_millis(300)).await;
        let restarted = fleet.start(victim).await?;
        fleet.balanced(Duration::from_secs(30)).await?;
        load.stop().await?;
        fleet.check_alive()?;
        let doubts = session.history().journal.iter().filter(|entry| entry.is_indeterminate()).count();
        let sent = session.history().journal.len();
        let findings = verify::round(&session, &mut rng).await;
        println!(
            "  kill {round}: pod {}, {sent} requests; every shard served after {} ms; a new incarnation ready in {} ms; \
             {doubts} indeterminate, {} sent again ({} had been made), {} repeated; {} violations",
            fleet.name(victim),
            served.as_millis(),
            restarted.as_millis(),
            findings.retried,
            findings.replayed,
            findings.repeated,
            findings.violations.len()
        );
        requests += sent;
        indeterminate += doubts;
        made += findings.replayed;
        verdict.violations.extend(findings.violations);
        if !verdict.violations.is_empty() {
            write_journal(options, &session.history().journal)?;
            break;
        }
    }
    verdict.line = format!(
        "{} kills, {requests} requests at {} a second, {indeterminate} indeterminate ({made} had been made); \
         every shard served again after (min / median / max) {}",
        back.len(),
        pace.rate,
        spread(back)
    );
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

/// Nobody believes any more that the dead pod owns something.
async fn check_owners(fleet: &Fleet, dead: usize, verdict: &mut Verdict) -> anyhow::Result<()> {
    for pod in (0..PODS).filter(|&pod| pod != dead) {
        let owners = fleet.owners(pod).await?;
        let name = fleet.name(dead);
        let lost = owners.iter().filter(|owner| owner.as_ref().is_none_or(|owner| *owner == name)).count();
        if lost > 0 {
            let what = format!("pod {} sees {lost} shards with nobody or a dead pod", fleet.name(pod));
            verdict.violation("shards_lost", what);
        }
    }
    Ok(())
}

/// The clients' journal of a round that went wrong, one request a line.
fn write_journal(options: &Options, journal: &[Entry]) -> anyhow::Result<()> {
    let lines: Vec<String> = journal.iter().map(|entry| format!("{entry:?}\n")).collect();
    Ok(std::fs::write(options.directory.join("journal.txt"), lines.concat())?)
}

use std::time::{Duration, Instant};

use rand::RngExt as _;
use smartcart_testkit::{
    fleet::Fleet,
    random::{Fork as _, Rng, seeded},
    report::spread,
};
use tokio::time::{sleep, sleep_until};

use super::{options::Options, verdict::Verdict};
use crate::{
    client::Outcome,
    fleet::{Load, Pace, Probes, open_shop},
    load::Mix,
    verify,
};

const PODS: usize = 3;
const PROBES: usize = 48;
/// After PostgreSQL is back, every shard takes changes again within this.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// A pod may need this long to notice; from then on a change is refused within `AT_ONCE`.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);
const AT_ONCE: Duration = Duration::from_secs(1);
/// Reads go on for this long.
const READS_FOR: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (away, restarts, pace) = options.short_or(
        (Duration::from_secs(5), 3, Pace { clients: 24, rate: 100 }),
        (Duration::from_secs(60), 10, Pace { clients: 96, rate: 500 }),
    );
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    let probes = Probes::create(&session, PROBES).await?;
    let mut rng = seeded(options.seed);
    let mut verdict = Verdict::default();
    let pids: Vec<_> = (0..PODS).map(|pod| fleet.pid(pod)).collect();

    let load = Load::start(&session, pace, Mix { short_holds: false, checkouts: true }, &rng.fork(1)).await;
    sleep(Duration::from_secs(1)).await;
    fleet.postgres.crash().await?;
    let seen = match options.redis {
        None => watch(&probes, away, &mut verdict).await,
        Some(_) => goes_on(&probes, away, &mut verdict).await,
    };
    fleet.postgres.start().await?;
    let back = probes.all_served(Instant::now(), BACK_WITHIN * 2).await?;
    load.stop().await?;
    let first = judge(&fleet, &probes, &mut verdict, &mut rng).await;

    let load = Load::start(&session, pace, Mix { short_holds: false, checkouts: true }, &rng.fork(2)).await;
    let mut backs = Vec::new();
    for _ in 0..restarts {
        sleep(Duration::from_millis(rng.random_range(200..=1_500))).await;
        fleet.postgres.crash().await?;
        fleet.postgres.start().await?;
        backs.push(probes.all_served(Instant::now(), BACK_WITHIN * 2).await?);
    }
    load.stop().await?;
    let second = judge(&fleet, &probes, &mut verdict, &mut rng).await;

    for (pod, before) in pids.iter().enumerate() {
        if fleet.pid(pod) != *before {
            verdict.violation("pod_ended", format!("pod {} is another process now", fleet.name(pod)));
        }
    }
    if backs.iter().chain([&back]).any(|back| *back > BACK_WITHIN) {
        verdict.violation("back_late", format!("changes were taken again after {back:?} and {backs:?}"));
    }
    verdict.line = format!(
        "PostgreSQL away for {} s: {seen}; all changes taken again after {} ms ({first}); {restarts} restarts in a row, taken \
         again after (min / median / max) {} ({second})",
        away.as_secs(),
        back.as_millis(),
        spread(backs)
    );
    fleet.check_alive()?;
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

/// Looks at changes and reads while PostgreSQL is away.
async fn watch(probes: &Probes, away: Duration, verdict: &mut Verdict) -> String {
    let began = Instant::now();
    let mut client = probes.client();
    let (mut refusals, mut last_read, mut late, mut number) = (Vec::new(), Duration::ZERO, 0, 0);
    while began.elapsed() < away {
        let next = tokio::time::Instant::now() + LOOK;
        let asked = began.elapsed();
        let (change, read) = probes.once(&mut client, number).await;
        number += 1;
        match change.outcome {
            Outcome::Acknowledged(_) => {
                verdict.violation("acknowledged", format!("a change {asked:?} after PostgreSQL had gone"));
            }
            _ if asked > NOTICED_WITHIN => {
                refusals.push(change.took);
                late += usize::from(change.took > AT_ONCE);
            }
            _ => {}
        }
        if matches!(read.outcome, Outcome::Acknowledged(_)) {
            last_read = asked;
        }
        sleep_until(next).await;
    }
    if late > 0 {
        verdict.violation("refused_late", format!("{late} changes were not refused within {AT_ONCE:?}"));
    }
    if last_read < READS_FOR {
        verdict.violation("reads_ended", format!("the last read was answered after {last_read:?}"));
    }
    format!(
        "{} changes refused after (min / median / max) {}, reads answered for {} ms",
        refusals.len(),
        spread(refusals),
        last_read.as_millis()
    )
}

/// With a journal in Redis changes go on while PostgreSQL is away.
pub(super) async fn goes_on(probes: &Probes, away: Duration, verdict: &mut Verdict) -> String {
    let began = Instant::now();
    let mut client = probes.client();
    let (mut taken, mut refused, mut unread, mut number) = (Vec::new(), 0, 0, 0);
    while began.elapsed() < away {
        let next = tokio::time::Instant::now() + LOOK;
        let (change, read) = probes.once(&mut client, number).await;
        number += 1;
        match change.outcome {
            Outcome::Acknowledged(_) => taken.push(change.took),
            _ => refused += 1,
        }
        unread += usize::from(!matches!(read.outcome, Outcome::Acknowledged(_)));
        sleep_until(next).await;
    }
    if refused + unread > 0 {
        verdict.violation("stopped", format!("{refused} changes and {unread} reads were not answered"));
    }
    format!("{} changes taken after (min / median / max) {}", taken.len(), spread(taken))
}

pub(super) async fn judge(fleet: &Fleet, probes: &Probes, verdict: &mut Verdict, rng: &mut Rng) -> String {
    let session = probes.session();
    let requests = session.history().journal.len();
    let doubts = session.history().journal.iter().filter(|entry| entry.is_indeterminate()).count();
    let findings = verify::round(session, rng).await;
    let line = format!(
        "{requests} requests, {doubts} indeterminate, {} sent again, {} had been made",
        findings.retried, findings.replayed
    );
    println!("  {} pods: {line}; {} violations", fleet.len(), findings.violations.len());
    verdict.violations.extend(findings.violations);
    line
}

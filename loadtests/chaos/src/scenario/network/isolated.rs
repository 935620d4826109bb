//! A pod that has lost PostgreSQL, alone or with its peers, for longer than a takeover takes: it acknowledges nothing, its
//! shards are served by others, and when the network heals it learns that it is dead and ends.

use std::time::{Duration, Instant};

use anyhow::Context;
use smartcart_testkit::{
    random::{Fork as _, Rng, seeded},
    report::spread,
};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::sleep;

use super::{
    super::{options::Options, verdict::Verdict, zombie::remove_fence},
    ground::{CALM, Cut, Ground, REFUSED_WITHIN, Round},
    ping::{Endpoint, Pings},
};
use crate::verify;

const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15);
const ENDS_WITHIN: Duration = Duration::from_secs(15);
const BALANCED_WITHIN: Duration = Duration::from_secs(30);

pub(in super::super) async fn cut_postgres(options: &Options) -> anyhow::Result<Verdict> {
    run(options, false).await
}

pub(in super::super) async fn cut_both(options: &Options) -> anyhow::Result<Verdict> {
    run(options, true).await
}

/// The ground, and what is looked into beside it.
struct Isolated {
    ground: Ground,
    pool: PgPool,
    peers_too: bool,
}

/// Of one cut.
struct Times {
    cut: Instant,
    taken_over: Duration,
    healed: Instant,
    /// The pod's process.
    ended: Instant,
}

impl Times {
    fn ending(&self) -> Duration {
        self.ended - self.healed
    }
}

#[derive(Default)]
struct Sums {
    requests: usize,
    pings: usize,
    taken_over: Vec<Duration>,
    ended: Vec<Duration>,
}

async fn run(options: &Options, peers_too: bool) -> anyhow::Result<Verdict> {
    let ground = Ground::prepare(options).await?;
    let pool = ground.fleet.postgres.pool().await?;
    if options.without_fence {
        remove_fence(&pool).await?;
    }
    let mut isolated = Isolated { ground, pool, peers_too };
    let short: &[Cut] = if peers_too { &[Cut::Inward] } else { &[Cut::Partition] };
    let cuts = options.short_or(short, &Cut::ALL);
    let mut sums = Sums::default();
    for (round, cut) in (1..).zip(cuts) {
        let mut rng = seeded(options.seed).fork(round);
        isolated.round(*cut, &mut rng, &mut sums).await.with_context(|| format!("{cut}"))?;
        if !isolated.ground.verdict.violations.is_empty() {
            break;
        }
    }
    isolated.pool.close().await;
    let Ground { mut fleet, session, mut verdict, .. } = isolated.ground;
    verdict.line = format!(
        "{} cuts, {} requests and {} pings; taken over after (min / median / max) {}; healed, it ended after {}",
        sums.taken_over.len(),
        sums.requests,
        sums.pings,
        spread(sums.taken_over),
        spread(sums.ended)
    );
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

impl Isolated {
    async fn round(&mut self, cut: Cut, rng: &mut Rng, sums: &mut Sums) -> anyhow::Result<()> {
        let Round { victim, other, load, pinging } = self.ground.begin(rng).await?;
        let held = self.held(victim);
        let times = self.cut_off(cut, victim, other).await?;
        self.ground.fleet.start(victim).await?;
        self.ground.fleet.balanced(BALANCED_WITHIN).await?;
        let pings = pinging.stop().await?;
        load.stop().await?;

        let served = self.check_pings(cut, &times, &pings)?;
        let (again, made) = pings.settle(&self.ground.session, &mut self.ground.verdict).await?;
        let requests = self.ground.session.history().journal.len();
        let findings = verify::round(&self.ground.session, rng).await;
        let refused = pings.sent(Endpoint::Own, times.cut, times.healed);
        println!(
            "  {cut}: pod {} taken over after {} ms, a ping served after {} ms; at its own endpoint {} pings refused, the slowest \
             after {} ms; {} bytes arrived late; healed, it ended after {} ms; {requests} requests, {} and {again} pings sent \
             again ({} and {made} had been made); settled in {} ms; {} violations",
            self.ground.fleet.name(victim),
            times.taken_over.as_millis(),
            served.as_millis(),
            refused.count(),
            refused.longest().as_millis(),
            self.held(victim) - held,
            times.ending().as_millis(),
            findings.retried,
            findings.replayed,
            findings.settled_after.as_millis(),
            findings.violations.len()
        );
        self.ground.verdict.violations.extend(findings.violations);
        sums.requests += requests;
        sums.pings += pings.count();
        sums.taken_over.push(times.taken_over);
        sums.ended.push(times.ending());
        Ok(())
    }

    /// From the cut to the pod's end.
    async fn cut_off(&mut self, cut: Cut, victim: usize, other: usize) -> anyhow::Result<Times> {
        let incarnation = self.ground.fleet.incarnation(victim).await?;
        let said = self.ground.fleet.log(victim)?.len();
        self.ground.networks.cut_postgres(victim, cut);
        if self.peers_too {
            self.ground.networks.cut_peers(&self.ground.fleet, victim, cut)?;
        }
        let cut = Instant::now();
        let taken_over = self.ground.fleet.taken_over(other, victim, cut, 4 * TAKEN_OVER_WITHIN).await?;
        sleep(CALM).await;
        self.ground.networks.heal();
        let healed = Instant::now();
        let status = self
            .ground
            .fleet
            .take(victim)?
            .ended(ENDS_WITHIN)
            .await
            .context("the network has healed, it goes on")?;
        let ended = Instant::now();
        if status.success() || !self.ground.fleet.log(victim)?[said..].contains("declared dead") {
            let what = format!("it ended with {status}:\n{}", self.ground.fleet.log_tail(victim)?);
            self.ground.verdict.violation("ended_otherwise", what);
        }
        self.check_traces(&incarnation).await?;
        Ok(Times { cut, taken_over, healed, ended })
    }

    /// Nothing was acknowledged by the pod once it was cut off (with a journal in Redis: once it was taken over), and others
    /// served its shards. After how long they did.
    fn check_pings(&mut self, cut: Cut, times: &Times, pings: &Pings) -> anyhow::Result<Duration> {
        let since = if self.ground.fleet.redis.is_some() { times.cut + times.taken_over } else { times.cut };
        let acknowledged = pings.sent(Endpoint::Own, since, times.ended).acknowledged();
        if acknowledged > 0 {
            self.ground.verdict.violation("acknowledged_by_the_dead", format!("{cut}: {acknowledged} pings"));
        }
        let slowest = pings.sent(Endpoint::Own, times.cut, times.healed).longest();
        if slowest > REFUSED_WITHIN {
            self.ground.verdict.violation("refused_late", format!("{cut}: a ping waited for {slowest:?}"));
        }
        let served =
            pings.first_acknowledged(Endpoint::Other, times.cut).context("no ping was served again")?;
        if served > TAKEN_OVER_WITHIN {
            self.ground
                .verdict
                .violation("back_late", format!("{cut}: a ping was served again after {served:?}"));
        }
        pings.check_reads(&mut self.ground.verdict);
        Ok(served)
    }

    fn held(&self, pod: usize) -> u64 {
        self.ground.networks.postgres[pod].counts().held()
    }

    /// Nothing of the dead incarnation is in the journal, whatever arrived late.
    async fn check_traces(&mut self, incarnation: &str) -> anyhow::Result<()> {
        for table in ["entry", "trimmed", "watermark", "member"] {
            let count =
                format!("SELECT count(*) FROM {table} WHERE incarnation = decode('{incarnation}', 'hex')");
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&self.pool).await?;
            if rows > 0 {
                let what = format!("{rows} rows of {incarnation} are in {table}");
                self.ground.verdict.violation("written_by_the_dead", what);
            }
        }
        Ok(())
    }
}

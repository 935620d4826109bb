//! Redis fails over to a replica that lacks the last entries, and the seal of a pod that was declared dead. The owners that
//! live lose nothing, also when one dies as soon as it acknowledges again; and the dead pod, which wakes up out of
//! PostgreSQL's reach and finds a Redis that knows of no seal, acknowledges nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use smartcart_testkit::{
    fleet::Fleet,
    http::Connection,
    proxy::{Flow, Network, Proxy},
    random::{Fork as _, Rng, seeded},
    redis::Redis,
    report::spread,
};
use sqlx::PgPool;
use tokio::{task::JoinSet, time::sleep};

use super::{
    options::Options,
    verdict::Verdict,
    witness::{Asked, Witness, ask_again, ask_all, check_witnesses, connect_all, judge_answers},
    zombie::Traces,
};
use crate::{
    fleet::{Load, Pace, Probes, open_shop},
    load::Mix,
    session::Session,
    verify,
};

const PODS: usize = 3;
/// Paused, and declared dead.
const SLEEPER: usize = 0;
/// Dies as soon as it acknowledges in the new Redis.
const MORTAL: usize = 1;
const OBSERVER: usize = 2;
const PROBES: usize = 48;
const CALM: Duration = Duration::from_secs(1);
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15);
/// The pods take changes again, in PostgreSQL or in the new Redis, within this.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// And in the new Redis within this.
const IN_REDIS_WITHIN: Duration = Duration::from_secs(20);
/// The sleeper wakes up out of PostgreSQL's reach for so long.
const OUT_OF_REACH: Duration = Duration::from_secs(3);
const ASKED_EVERY: Duration = Duration::from_millis(300);
const ENDS_WITHIN: Duration = Duration::from_secs(15);
const BALANCED_WITHIN: Duration = Duration::from_secs(30);
/// The tables follow late, so that they have not got what the replica lacks.
const FLUSH_INTERVAL_MS: &str = "4000";

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (rounds, pace) =
        options.short_or((1, Pace { clients: 16, rate: 80 }), (5, Pace { clients: 48, rate: 300 }));
    let mut fleet = options.fleet(PODS).await?;
    let primary = fleet.redis.as_ref().context("the journal is in no Redis")?.address;
    let (to_redis, to_postgres) = (Proxy::start(primary).await?, Proxy::start(fleet.postgres.address).await?);
    for pod in 0..PODS {
        fleet.set(pod, "SMARTCART_JOURNAL_URL", Redis::url_at(to_redis.address()));
        fleet.set(pod, "SMARTCART_FLUSH_INTERVAL_MS", FLUSH_INTERVAL_MS);
    }
    fleet.set(SLEEPER, "DATABASE_URL", fleet.postgres.url_at(to_postgres.address()));
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    let probes = Probes::create(&session, PROBES).await?;
    let pool = fleet.postgres.pool().await?;
    let mut ground =
        Ground { fleet, to_redis, to_postgres, session, probes, pool, pace, verdict: Verdict::default() };
    let (mut backs, mut lacked, mut refused) = (Vec::new(), 0, 0);
    for round in 1..=rounds {
        let directory = options.directory.join(format!("redis-{round}"));
        let setup = options.redis.as_ref().context("the journal is in no Redis")?;
        let replica = Redis::start_new(setup.clone(), &directory, ground.fleet.spare).await?;
        let seen = ground.round(replica, &mut seeded(options.seed).fork(round)).await?;
        backs.push(seen.back);
        lacked += seen.lacked;
        refused += seen.refused;
        if !ground.verdict.violations.is_empty() {
            break;
        }
    }
    let Ground { mut fleet, session, pool, mut verdict, .. } = ground;
    pool.close().await;
    verdict.line = format!(
        "{} failovers to a replica that lacked a seal and {lacked} entries of pods that lived; changes taken again after \
         (min / median / max) {}; {refused} requests to the dead pod refused",
        backs.len(),
        spread(backs)
    );
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

struct Ground {
    fleet: Fleet,
    /// Of every pod, and of the sleeper.
    to_redis: Proxy,
    to_postgres: Proxy,
    session: Arc<Session>,
    probes: Probes,
    pool: PgPool,
    pace: Pace,
    verdict: Verdict,
}

/// What a round was like.
struct Seen {
    back: Duration,
    /// Entries.
    lacked: u64,
    /// Requests to the sleeper.
    refused: usize,
}

/// A pod that sleeps and was declared dead, and what it is asked when it wakes up.
struct Sleeper {
    incarnation: String,
    witnesses: Vec<Witness>,
    early: JoinSet<Asked>,
    later: Vec<[Connection; 2]>,
}

impl Ground {
    async fn round(&mut self, replica: Redis, rng: &mut Rng) -> anyhow::Result<Seen> {
        let primary = self.primary()?;
        let link = Proxy::start(primary.address).await?;
        replica.follow(link.address()).await?;
        let mix = Mix { short_holds: false, checkouts: true };
        let load = Load::start(&self.session, self.pace, mix, rng).await;
        sleep(CALM).await;
        // The replica hears nothing from here on; the primary believes that it does.
        link.set(Network::flows(Flow::Pass, Flow::Drop));
        let sleeper = self.lull().await?;
        sleep(CALM).await;
        let lacked = self.lacks(&replica, &sleeper.incarnation).await?;
        let back = self.fail_over(replica).await?;
        self.mortal_dies().await?;
        let refused = self.wake(sleeper).await?;

        for pod in [SLEEPER, MORTAL] {
            self.fleet.start(pod).await?;
        }
        self.session.endpoints.set(SLEEPER, true);
        self.fleet.balanced(BALANCED_WITHIN).await?;
        load.stop().await?;
        self.fleet.check_alive()?;
        let requests = self.session.history().journal.len();
        let findings = verify::round(&self.session, rng).await;
        println!(
            "  the replica lacked a seal and {lacked} entries; changes taken again after {} ms; {refused} requests to the \
             dead pod refused; {requests} requests beside it, {} sent again ({} had been made); {} violations",
            back.as_millis(),
            findings.retried,
            findings.replayed,
            findings.violations.len()
        );
        self.verdict.violations.extend(findings.violations);
        Ok(Seen { back, lacked, refused })
    }

    fn primary(&self) -> anyhow::Result<&Redis> {
        self.fleet.redis.as_ref().context("the journal is in no Redis")
    }

    /// The sleeper falls asleep, with requests in its sockets, and others take over.
    async fn lull(&mut self) -> anyhow::Result<Sleeper> {
        let mut client = self.session.client();
        let incarnation = self.fleet.incarnation(SLEEPER).await?;
        let mut witnesses = Witness::create_all(&self.session, &self.fleet, SLEEPER).await?;
        for witness in &mut witnesses {
            witness.add(&mut client, "CHAOS-1").await?;
        }
        self.fleet.pause(SLEEPER).await?;
        // Everybody else goes elsewhere, as a balancer has it.
        self.session.endpoints.set(SLEEPER, false);
        let paused = Instant::now();
        let early = ask_all(&witnesses).await?;
        let later = connect_all(&witnesses).await?;
        self.fleet.taken_over(OBSERVER, SLEEPER, paused, TAKEN_OVER_WITHIN).await?;
        for witness in &mut witnesses {
            witness.add(&mut client, "CHAOS-2").await?;
        }
        Ok(Sleeper { incarnation, witnesses, early, later })
    }

    /// How many entries of the living the replica has not got. It must not have the seal either.
    async fn lacks(&mut self, replica: &Redis, sleeper: &str) -> anyhow::Result<u64> {
        let (sealed, _) = self.primary()?.journal_of(sleeper).await?;
        let (known, _) = replica.journal_of(sleeper).await?;
        let mut lacked = 0;
        for pod in [MORTAL, OBSERVER] {
            let incarnation = self.fleet.incarnation(pod).await?;
            let (_, there) = self.primary()?.journal_of(&incarnation).await?;
            let (_, here) = replica.journal_of(&incarnation).await?;
            lacked += there.saturating_sub(here);
        }
        if !sealed || known || lacked == 0 {
            let what = format!("sealed: {sealed}, in the replica: {known}; it lacks {lacked} entries");
            self.verdict.violation("not_exercised", what);
        }
        Ok(lacked)
    }

    /// The primary is gone, and its address leads to the replica. How long until every shard took changes again.
    async fn fail_over(&mut self, replica: Redis) -> anyhow::Result<Duration> {
        let since = Instant::now();
        self.to_redis.point_at(replica.address);
        if let Some(mut primary) = self.fleet.redis.take() {
            primary.kill()?;
            self.fleet.spare = primary.address;
        }
        replica.promote().await?;
        self.fleet.redis = Some(replica);
        let back = self.probes.all_served(since, BACK_WITHIN * 2).await?;
        if back > BACK_WITHIN {
            self.verdict.violation("back_late", format!("changes were taken again after {back:?}"));
        }
        Ok(back)
    }

    /// A pod dies when the new Redis has from it again what it had forgotten.
    async fn mortal_dies(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let status = self.fleet.status(MORTAL).await?;
            if status["engine"]["journal"].as_str().is_some_and(|journal| journal.starts_with("Redis")) {
                break;
            }
            ensure!(began.elapsed() < IN_REDIS_WITHIN, "the journal is not in Redis again: {status}");
            sleep(Duration::from_millis(10)).await;
        }
        self.fleet.kill(MORTAL).await?;
        self.fleet.taken_over(OBSERVER, MORTAL, Instant::now(), TAKEN_OVER_WITHIN).await?;
        Ok(())
    }

    /// The sleeper wakes up; how many requests it refused.
    async fn wake(&mut self, sleeper: Sleeper) -> anyhow::Result<usize> {
        let Sleeper { incarnation, witnesses, early, later } = sleeper;
        let before = Traces::look(&self.pool, &incarnation, &witnesses).await?;
        let (_, appended) = self.primary()?.journal_of(&incarnation).await?;
        self.to_postgres.set(Network::flows(Flow::Hold, Flow::Hold));
        self.fleet.resume(SLEEPER)?;
        let woken = Instant::now();
        let mut asked = vec![early, ask_again(later, &witnesses)];
        // Again and again: it may come to believe that it can do without PostgreSQL.
        while woken.elapsed() < OUT_OF_REACH {
            sleep(ASKED_EVERY).await;
            asked.push(ask_all(&witnesses).await?);
        }
        self.to_postgres.heal();
        let ended = self.fleet.take(SLEEPER)?.ended(ENDS_WITHIN).await?;
        if ended.success() {
            self.verdict.violation("ended_well", format!("{ended}"));
        }
        let (.., refused) = judge_answers(asked, &witnesses, &mut self.verdict).await?;
        Traces::look(&self.pool, &incarnation, &witnesses).await?.check(&before, &mut self.verdict);
        let (_, now) = self.primary()?.journal_of(&incarnation).await?;
        // Fewer: it has seen that it is dead, and left nothing there.
        if now > appended {
            let what = format!("{} entries in the new Redis", now - appended);
            self.verdict.violation("appended_by_the_dead", what);
        }
        check_witnesses(&self.session, &witnesses, &mut self.verdict).await?;
        Ok(refused)
    }
}

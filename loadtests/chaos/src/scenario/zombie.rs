use std::time::{Duration, Instant};

use anyhow::Context;
use smartcart_testkit::random::{Fork as _, seeded};
use sqlx::{AssertSqlSafe, PgPool, Row};
use tokio::time::sleep;

use super::{
    options::Options,
    verdict::Verdict,
    witness::{WITNESSES, Witness, ask_again, ask_all, check_witnesses, connect_all, judge_answers},
};
use crate::{
    fleet::{Load, Pace, open_shop},
    load::Mix,
    verify,
};

const PODS: usize = 3;
const VICTIM: usize = 0;
/// After it woke up, a pod that was declared dead has ended within this.
const ENDS_WITHIN: Duration = Duration::from_secs(15);
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15);

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (asleep, pace) = options.short_or(
        (Duration::from_secs(10), Pace { clients: 16, rate: 80 }),
        (Duration::from_secs(30), Pace { clients: 64, rate: 500 }),
    );
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let pool = fleet.postgres.pool().await?;
    if options.without_fence {
        remove_fence(&pool).await?;
    }
    let session = open_shop(&fleet).await?;
    let mut rng = seeded(options.seed);
    let mut verdict = Verdict::default();
    let incarnation = fleet.incarnation(VICTIM).await?;
    let mut witnesses = Witness::create_all(&session, &fleet, VICTIM).await?;
    let mut client = session.client();

    let load = Load::start(&session, pace, Mix { short_holds: false, checkouts: true }, &rng.fork(1)).await;
    sleep(Duration::from_secs(1)).await;
    // What the tables have not got when the pod falls asleep, so that its next flush has something to write.
    for witness in &mut witnesses {
        witness.add(&mut client, "CHAOS-1").await?;
    }
    fleet.pause(VICTIM).await?;
    let paused = Instant::now();
    let early = ask_all(&witnesses).await?;
    let later = connect_all(&witnesses).await?;
    let taken_over = fleet.taken_over(1, VICTIM, paused, TAKEN_OVER_WITHIN).await?;
    for witness in &mut witnesses {
        witness.add(&mut client, "CHAOS-2").await?;
    }
    sleep(asleep.saturating_sub(paused.elapsed())).await;
    load.stop().await?;
    fleet.level_of(&[1, 2]).await?;
    let before = Traces::look(&pool, &incarnation, &witnesses).await?;

    fleet.resume(VICTIM)?;
    let woken = Instant::now();
    let late = ask_again(later, &witnesses);
    let ended = fleet.take(VICTIM)?.ended(ENDS_WITHIN).await;
    let ended_after = woken.elapsed();
    let (acknowledged, stale, refused) = judge_answers(vec![early, late], &witnesses, &mut verdict).await?;
    match ended {
        Ok(status) if status.success() => verdict.violation("ended_well", format!("{status}")),
        Ok(_) => {
            if !fleet.log(VICTIM)?.contains("declared dead") {
                verdict.violation("unsaid", "its log does not say that it was declared dead");
            }
        }
        Err(error) => verdict.violation("goes_on", format!("{error:#}")),
    }
    let after = Traces::look(&pool, &incarnation, &witnesses).await?;
    after.check(&before, &mut verdict);
    let made = check_witnesses(&session, &witnesses, &mut verdict).await?;

    let requests = session.history().journal.len();
    fleet.start(VICTIM).await?;
    fleet.balanced(Duration::from_secs(30)).await?;
    let findings = verify::round(&session, &mut rng).await;
    verdict.line = format!(
        "asleep for {} s, taken over after {} ms, ended {} ms after it woke up; of {} requests to the old epoch {acknowledged} were acknowledged, {stale} \
         read stale, {refused} refused or cut off, {made} made; {} entries and {} watermarks of it in PostgreSQL; {requests} \
         requests beside it, {} sent again ({} had been made)",
        woken.duration_since(paused).as_secs(),
        taken_over.as_millis(),
        ended_after.as_millis(),
        acknowledged + stale + refused,
        after.entries,
        after.watermarks.len(),
        findings.retried,
        findings.replayed
    );
    verdict.violations.extend(findings.violations);
    pool.close().await;
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

/// The proof that the fence is what keeps the promises: without it they must be found broken.
pub(super) async fn remove_fence(pool: &PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql(
        "CREATE OR REPLACE FUNCTION fence(given BYTEA, lock_key BIGINT) RETURNS VOID LANGUAGE plpgsql VOLATILE AS $$ \
         BEGIN END $$",
    )
    .execute(pool)
    .await
    .context("removing the fence")?;
    println!("  the fence was taken out of this database");
    Ok(())
}

/// What is in PostgreSQL of the old incarnation, and of the witnesses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Traces {
    pub(super) entries: i64,
    pub(super) watermarks: Vec<(i16, i64)>,
    carts: Vec<(Vec<u8>, i64)>,
}

impl Traces {
    pub(super) async fn look(
        pool: &PgPool,
        incarnation: &str,
        witnesses: &[Witness],
    ) -> anyhow::Result<Self> {
        let of = format!("WHERE incarnation = decode('{incarnation}', 'hex')");
        let entries =
            sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM entry {of}"))).fetch_one(pool).await?;
        let watermarks =
            sqlx::query(AssertSqlSafe(format!("SELECT lane, sequence FROM watermark {of} ORDER BY lane")))
                .fetch_all(pool)
                .await?;
        let ids: Vec<String> =
            witnesses.iter().map(|witness| format!("decode('{}', 'hex')", witness.cart)).collect();
        let carts = format!("SELECT id, version FROM cart WHERE id IN ({}) ORDER BY id", ids.join(", "));
        let carts = sqlx::query(AssertSqlSafe(carts)).fetch_all(pool).await?;
        Ok(Self {
            entries: entries.try_get(0)?,
            watermarks: watermarks
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect::<Result<_, sqlx::Error>>()?,
            carts: carts
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect::<Result<_, sqlx::Error>>()?,
        })
    }

    pub(super) fn check(&self, before: &Self, verdict: &mut Verdict) {
        if self.carts.len() != WITNESSES {
            verdict.violation("not_exercised", format!("{} carts are in the tables", self.carts.len()));
        }
        if self.entries != before.entries {
            let what = format!("{} entries where there were {}", self.entries, before.entries);
            verdict.violation("appended_by_the_dead", what);
        }
        if self.watermarks != before.watermarks {
            let what = format!("watermarks {:?} where there were {:?}", self.watermarks, before.watermarks);
            verdict.violation("flushed_by_the_dead", what);
        }
        if self.carts != before.carts {
            verdict.violation("flushed_by_the_dead", "carts have other versions than before it woke up");
        }
    }
}

//! Redis and PostgreSQL go away and come back, again and again, each when it likes. No pod ends, and nothing is lost.

use std::time::{Duration, Instant};

use anyhow::Context;
use rand::RngExt as _;
use smartcart_testkit::{
    fleet::Fleet,
    postgres::Postgres,
    random::{Fork as _, Rng, seeded},
    redis::Redis,
};
use tokio::time::sleep;

use super::{options::Options, outage::judge, verdict::Verdict};
use crate::{
    fleet::{Load, Pace, Probes, open_shop},
    load::Mix,
};

const PODS: usize = 3;
const PROBES: usize = 48;
/// When both have come back for good, every shard takes changes again within this.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// Milliseconds.
const AWAY: (u64, u64) = (0, 1_500);
const THERE: (u64, u64) = (100, 2_000);

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (times, pace) =
        options.short_or((6, Pace { clients: 16, rate: 80 }), (20, Pace { clients: 48, rate: 300 }));
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    let probes = Probes::create(&session, PROBES).await?;
    let mut rng = seeded(options.seed);
    let mut verdict = Verdict::default();
    let load = Load::start(&session, pace, Mix { short_holds: false, checkouts: true }, &rng.fork(1)).await;
    let began = Instant::now();
    let Fleet { postgres, redis, .. } = &mut fleet;
    let redis = redis.as_mut().context("the journal is in no Redis")?;
    tokio::try_join!(flap_redis(redis, times, rng.fork(2)), flap_postgres(postgres, times, rng.fork(3)),)?;
    let flapped = began.elapsed();
    let back = probes.all_served(Instant::now(), BACK_WITHIN * 2).await?;
    load.stop().await?;
    fleet.check_alive()?;
    if back > BACK_WITHIN {
        verdict.violation("back_late", format!("changes were taken again after {back:?}"));
    }
    let judged = judge(&fleet, &probes, &mut verdict, &mut rng).await;
    verdict.line = format!(
        "Redis and PostgreSQL went away {times} times each within {} s; every shard took changes again after {} ms ({judged})",
        flapped.as_secs(),
        back.as_millis()
    );
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

async fn flap_redis(redis: &mut Redis, times: u32, mut rng: Rng) -> anyhow::Result<()> {
    for _ in 0..times {
        pause(&mut rng, THERE).await;
        redis.kill()?;
        pause(&mut rng, AWAY).await;
        redis.start().await?;
    }
    Ok(())
}

async fn flap_postgres(postgres: &mut Postgres, times: u32, mut rng: Rng) -> anyhow::Result<()> {
    for _ in 0..times {
        pause(&mut rng, THERE).await;
        postgres.crash().await?;
        pause(&mut rng, AWAY).await;
        postgres.start().await?;
    }
    Ok(())
}

async fn pause(rng: &mut Rng, (least, most): (u64, u64)) {
    sleep(Duration::from_millis(rng.random_range(least..=most))).await;
}

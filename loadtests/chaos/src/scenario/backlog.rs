//! PostgreSQL is away for minutes under load, and Redis has the journal: changes go on, what waits for the tables stays within
//! its memory, also when clients send more than fits, and is gone soon after PostgreSQL has come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use smartcart_testkit::{
    fleet::Fleet,
    http::Request,
    metrics::Metrics,
    random::{Fork as _, seeded},
};
use tokio::{task::JoinSet, time::sleep};

use super::{
    options::Options,
    outage::{goes_on, judge},
    verdict::Verdict,
};
use crate::{
    client::Outcome,
    fleet::{Load, Pace, Probes, open_shop},
    load::Mix,
    session::Session,
};

const PODS: usize = 3;
const PROBES: usize = 48;
const CALM: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(200);
/// After PostgreSQL is back, every shard takes changes again within this.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// And the tables are as close behind as ever within this.
const LEVEL_WITHIN: Duration = Duration::from_secs(60);
/// Seconds that the tables are behind at most under load.
const CLOSE_BEHIND: u64 = 2;
const FLOOD_CLIENTS: usize = 32;
/// Of one cart's metadata, a little less than a cart may have.
const FLOOD_BYTES: usize = 4_000;
/// A metric tells what waits this soon.
const MEASURED_WITHIN: Duration = Duration::from_secs(10);
const BYTES: &str = "smartcart_write_behind_bytes";
/// Percent of the bound from which on guests are refused.
const GUESTS_REFUSED_AT: u64 = 70;

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (away, mib, pace) = options.short_or(
        (Duration::from_secs(30), 4, Pace { clients: 24, rate: 80 }),
        (Duration::from_secs(5 * 60), 16, Pace { clients: 48, rate: 100 }),
    );
    let mut fleet = options.fleet(PODS).await?;
    for pod in 0..PODS {
        fleet.set(pod, "SMARTCART_MAX_BACKLOG_MIB", mib.to_string());
    }
    let bound = mib << 20;
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    let probes = Probes::create(&session, PROBES).await?;
    let mut rng = seeded(options.seed);
    let mut verdict = Verdict::default();
    let mix = Mix { short_holds: false, checkouts: true };

    let load = Load::start(&session, pace, mix, &rng.fork(1)).await;
    sleep(CALM).await;
    fleet.postgres.crash().await?;
    let waiting = Waiting::default();
    let went_on = tokio::select! {
        went_on = goes_on(&probes, away, &mut verdict) => went_on,
        error = waiting.watch(&fleet) => return Err(error),
    };
    load.stop().await?;
    let under_load = waiting.most();
    // Twice as much as may wait.
    let sent = 2 * bound;
    let flood = Flood::new(sent * PODS as u64);
    let refused = tokio::select! {
        refused = flood.run(&session) => refused?,
        error = waiting.watch(&fleet) => return Err(error),
    };
    check_memory(&fleet, bound, &waiting, refused, &mut verdict).await?;

    fleet.postgres.start().await?;
    let returned = Instant::now();
    let back = probes.all_served(returned, BACK_WITHIN * 2).await?;
    let load = Load::start(&session, pace, mix, &rng.fork(2)).await;
    let level = close_behind(&fleet, returned).await?;
    load.stop().await?;
    fleet.check_alive()?;
    if back > BACK_WITHIN {
        verdict.violation("back_late", format!("changes were taken again after {back:?}"));
    }
    if level > LEVEL_WITHIN {
        verdict.violation("level_late", format!("the tables had everything after {level:?}"));
    }
    let judged = judge(&fleet, &probes, &mut verdict, &mut rng).await;
    verdict.line = format!(
        "PostgreSQL away for {} s: {went_on}, up to {} KiB waited in a pod; then {} KiB were sent to each, {refused} requests \
         refused, up to {} KiB of {} waited; PostgreSQL back, all changes taken after {} ms, the tables close behind after \
         {} ms ({judged})",
        away.as_secs(),
        under_load >> 10,
        sent >> 10,
        waiting.most() >> 10,
        bound >> 10,
        back.as_millis(),
        level.as_millis()
    );
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

/// The most bytes that ever waited for the tables in one pod.
#[derive(Debug, Default)]
struct Waiting(AtomicU64);

impl Waiting {
    /// Until it cannot be seen.
    async fn watch(&self, fleet: &Fleet) -> anyhow::Error {
        loop {
            for pod in 0..PODS {
                match behind(fleet, pod).await {
                    Ok(behind) => self.0.fetch_max(behind.bytes, Ordering::Relaxed),
                    Err(error) => return error,
                };
            }
            sleep(LOOK).await;
        }
    }

    fn most(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Behind {
    seconds: u64,
    bytes: u64,
    away: bool,
}

async fn behind(fleet: &Fleet, pod: usize) -> anyhow::Result<Behind> {
    let status = fleet.status(pod).await?;
    let behind = &status["engine"]["tables_behind"];
    let number = |name: &str| behind[name].as_u64().with_context(|| format!("no {name} in {behind}"));
    let away = behind["tables_away"].as_bool().unwrap_or(true);
    Ok(Behind { seconds: number("seconds")?, bytes: number("bytes")?, away })
}

/// How long after `since` the tables were close behind every pod.
async fn close_behind(fleet: &Fleet, since: Instant) -> anyhow::Result<Duration> {
    for pod in 0..PODS {
        loop {
            let behind = behind(fleet, pod).await?;
            if !behind.away && behind.seconds <= CLOSE_BEHIND {
                break;
            }
            ensure!(since.elapsed() < LEVEL_WITHIN * 2, "the tables are {} s behind", behind.seconds);
            sleep(LOOK).await;
        }
    }
    Ok(since.elapsed())
}

/// Guests create carts with as much in them as is allowed, at all pods.
#[derive(Debug)]
struct Flood {
    carts: AtomicUsize,
    refused: AtomicUsize,
    body: Value,
}

impl Flood {
    fn new(bytes: u64) -> Arc<Self> {
        let body = json!({ "currency": "USD", "metadata": { "note": "x".repeat(FLOOD_BYTES) } });
        let carts = AtomicUsize::new(usize::try_from(bytes).unwrap_or(usize::MAX) / FLOOD_BYTES);
        Arc::new(Self { carts, refused: AtomicUsize::default(), body })
    }

    /// How many were refused: by their pod for want of memory, or by another on its behalf.
    async fn run(self: &Arc<Self>, session: &Arc<Session>) -> anyhow::Result<usize> {
        let mut clients = JoinSet::new();
        for _ in 0..FLOOD_CLIENTS {
            clients.spawn(self.clone().pour(session.clone()));
        }
        while let Some(client) = clients.join_next().await {
            client.context("a client of the flood")??;
        }
        Ok(self.refused.load(Ordering::Relaxed))
    }

    async fn pour(self: Arc<Self>, session: Arc<Session>) -> anyhow::Result<()> {
        let mut client = session.client();
        let create = Request::post("/v1/carts", self.body.clone());
        while self.carts.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            match client.send(&create).await.outcome {
                Outcome::Acknowledged(_) => {}
                Outcome::Indeterminate(why) if why.contains("\"overloaded\"") => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                other => bail!("a cart of the flood: {other:?}"),
            }
        }
        Ok(())
    }
}

/// The bound held, it was needed, and the metric says what waits.
async fn check_memory(
    fleet: &Fleet,
    bound: u64,
    waiting: &Waiting,
    refused: usize,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let most = waiting.most();
    if most > bound {
        verdict.violation("over_bound", format!("{most} bytes waited for the tables; {bound} may"));
    }
    if refused == 0 || most < bound * GUESTS_REFUSED_AT / 100 {
        verdict.violation("not_exercised", format!("{most} of {bound} bytes, {refused} refused"));
    }
    let since = Instant::now();
    for pod in 0..PODS {
        loop {
            let (waits, told) =
                (behind(fleet, pod).await?.bytes, Metrics::read(fleet.ops(pod)).await?.get(BYTES));
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a metric is a float"
            )]
            let told = told as u64;
            // Both are about: what is sent and trimmed meanwhile is little.
            if told.abs_diff(waits) <= waits / 10 {
                break;
            }
            if since.elapsed() > MEASURED_WITHIN {
                verdict.violation("not_measured", format!("{waits} bytes wait, {BYTES} is {told}"));
                break;
            }
            sleep(LOOK).await;
        }
    }
    Ok(())
}

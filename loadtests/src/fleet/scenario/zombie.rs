use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, Row};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Options, Verdict, expect_done};
use crate::{
    chaos::{
        aftermath,
        cart::lines_of,
        client::{Client, Request},
        load::{Mix, Stage},
    },
    fleet::{Fleet, Load, Pace, open_shop, probe::Probe},
    rng::Rng,
    wire::{Connection, Response, render},
};

const PODS: usize = 3;
const VICTIM: usize = 0;
/// The carts of the paused pod that are asked for on connections that were open before.
const WITNESSES: usize = 24;
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
    let stage = open_shop(&fleet).await?;
    let mut rng = Rng::new(options.seed);
    let mut verdict = Verdict::default();
    let incarnation = fleet.incarnation(VICTIM).await?;
    let mut witnesses = Witness::create_all(&stage, &fleet).await?;
    let mut client = stage.client();

    let load = Load::start(&stage, pace, Mix { short_holds: false, checkouts: true }, &rng.fork(1)).await;
    sleep(Duration::from_secs(1)).await;
    // What the tables have not got when the pod falls asleep, so that its next flush has something to write.
    for witness in &mut witnesses {
        witness.add(&mut client, "CHAOS-1").await?;
    }
    fleet.pause(VICTIM).await?;
    let paused = Instant::now();
    let early = ask_all(&witnesses).await?;
    let later = connect_all(&witnesses).await?;
    let taken_over = taken_over(&fleet, paused).await?;
    for witness in &mut witnesses {
        witness.add(&mut client, "CHAOS-2").await?;
    }
    sleep(asleep.saturating_sub(paused.elapsed())).await;
    load.stop().await?;
    fleet.level_of(&[1, 2]).await?;
    let before = Traces::look(&pool, &incarnation, &witnesses).await?;

    fleet.resume(VICTIM).await?;
    let woken = Instant::now();
    let late = ask_again(later, &witnesses);
    let ended = fleet.take(VICTIM)?.ended(ENDS_WITHIN).await;
    let ended_after = woken.elapsed();
    let (acknowledged, stale, refused) = judge_answers(early, late, &witnesses, &mut verdict).await?;
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
    let made = check_witnesses(&stage, &witnesses, &mut verdict).await?;

    let requests = stage.world().journal.len();
    fleet.start(VICTIM).await?;
    fleet.balanced(Duration::from_secs(30)).await?;
    let findings = aftermath::judge(&stage, &mut rng).await;
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
    verdict.finish(&mut fleet, Some(&stage)).await?;
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

/// A cart of the pod that is going to sleep.
struct Witness {
    cart: String,
    address: SocketAddr,
    /// As last acknowledged by anybody.
    version: u64,
}

impl Witness {
    async fn create_all(stage: &Arc<Stage>, fleet: &Fleet) -> anyhow::Result<Vec<Self>> {
        let (owners, name) = (fleet.owners(VICTIM).await?, fleet.name(VICTIM));
        let (mut client, mut witnesses) = (stage.client(), Vec::new());
        while witnesses.len() < WITNESSES {
            let Probe { cart, shard } = Probe::create(&mut client).await?;
            if owners[shard].as_deref() == Some(&name) {
                witnesses.push(Self { cart, address: fleet.addresses()[VICTIM], version: 0 });
            }
        }
        Ok(witnesses)
    }

    /// By whoever owns it; tried until it is done.
    async fn add(&mut self, client: &mut Client, sku: &str) -> anyhow::Result<()> {
        let request = Request {
            method: "POST",
            path: format!("/v1/carts/{}/items", self.cart),
            body: Some(json!({ "sku": sku, "quantity": 1 })),
            key: Some(format!("witness-of-the-old-epoch-{sku}-{}", self.cart)),
            service: false,
        };
        let began = Instant::now();
        loop {
            match expect_done(client.send(&request).await.outcome) {
                Ok(answer) => {
                    self.version = answer.body["version"].as_u64().context("a cart without a version")?;
                    return Ok(());
                }
                Err(error) if began.elapsed() > TAKEN_OVER_WITHIN * 2 => return Err(error),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// What only the old epoch is asked to add.
    fn forbidden_change(&self) -> Vec<u8> {
        let body = json!({ "sku": "CHAOS-3", "quantity": 1 }).to_string();
        render("POST", &format!("/v1/carts/{}/items", self.cart), &[], Some(&body))
    }

    fn read(&self) -> Vec<u8> {
        render("GET", &format!("/v1/carts/{}", self.cart), &[], None)
    }
}

/// One answer of the old epoch, if there was one: of which witness, to a change or a read.
struct Asked {
    witness: usize,
    change: bool,
    answer: Option<Response>,
}

/// Longer than the pod sleeps.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a change and a read of each to the sleeping pod, on connections that it has not refused: they lie in its sockets
/// until it wakes up.
async fn ask_all(witnesses: &[Witness]) -> anyhow::Result<JoinSet<Asked>> {
    Ok(ask_again(connect_all(witnesses).await?, witnesses))
}

async fn connect_all(witnesses: &[Witness]) -> anyhow::Result<Vec<[Connection; 2]>> {
    let mut connections = Vec::new();
    for witness in witnesses {
        let open = || timeout(Duration::from_secs(2), Connection::open(witness.address));
        let (change, read) = (open().await, open().await);
        match (change, read) {
            (Ok(Ok(change)), Ok(Ok(read))) => connections.push([change, read]),
            other => bail!("the sleeping pod's listener takes no connection: {other:?}"),
        }
    }
    Ok(connections)
}

fn ask_again(connections: Vec<[Connection; 2]>, witnesses: &[Witness]) -> JoinSet<Asked> {
    let mut asked = JoinSet::new();
    for (witness, connections) in connections.into_iter().enumerate() {
        let requests = [witnesses[witness].forbidden_change(), witnesses[witness].read()];
        for (mut connection, (request, change)) in
            connections.into_iter().zip(requests.into_iter().zip([true, false]))
        {
            asked.spawn(async move {
                let answer = timeout(PATIENCE, connection.call(&request)).await;
                Asked { witness, change, answer: answer.ok().and_then(Result::ok) }
            });
        }
    }
    asked
}

/// Counts what the old epoch acknowledged, what it read that is not the last, and what it refused.
async fn judge_answers(
    mut early: JoinSet<Asked>,
    mut late: JoinSet<Asked>,
    witnesses: &[Witness],
    verdict: &mut Verdict,
) -> anyhow::Result<(usize, usize, usize)> {
    let (mut acknowledged, mut stale, mut refused) = (0, 0, 0);
    for asked in [&mut early, &mut late] {
        while let Some(asked) = asked.join_next().await {
            let Asked { witness, change, answer } = asked?;
            let Some(answer) = answer.filter(|answer| answer.status < 300) else {
                refused += 1;
                continue;
            };
            let document: Value = serde_json::from_slice(&answer.body)?;
            let cart = &witnesses[witness].cart;
            if change {
                acknowledged += 1;
                verdict.violation("acknowledged_by_the_dead", format!("cart {cart}: {document}"));
            } else if document["version"].as_u64() < Some(witnesses[witness].version) {
                stale += 1;
                verdict.violation("stale_read", format!("cart {cart}: {document}"));
            }
        }
    }
    Ok((acknowledged, stale, refused))
}

/// Until no shard is the sleeping pod's any more.
async fn taken_over(fleet: &Fleet, since: Instant) -> anyhow::Result<Duration> {
    let name = Some(fleet.name(VICTIM));
    loop {
        let owners = fleet.owners(1).await?;
        if owners.iter().all(|owner| owner.is_some() && *owner != name) {
            return Ok(since.elapsed());
        }
        if since.elapsed() > TAKEN_OVER_WITHIN {
            bail!("the sleeping pod was not taken over within {TAKEN_OVER_WITHIN:?}");
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// What is in PostgreSQL of the old incarnation, and of the witnesses.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    entries: i64,
    watermarks: Vec<(i16, i64)>,
    carts: Vec<(Vec<u8>, i64)>,
}

impl Traces {
    async fn look(pool: &PgPool, incarnation: &str, witnesses: &[Witness]) -> anyhow::Result<Self> {
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

    fn check(&self, before: &Self, verdict: &mut Verdict) {
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

/// Each has what was acknowledged, and nothing that only the old epoch was asked for.
async fn check_witnesses(
    stage: &Stage,
    witnesses: &[Witness],
    verdict: &mut Verdict,
) -> anyhow::Result<usize> {
    let mut client = stage.client();
    let mut made = 0;
    for Witness { cart, version, .. } in witnesses {
        let read = client.send(&Request::read(format!("/v1/carts/{cart}"), false)).await;
        let document = expect_done(read.outcome)?.body;
        let lines = lines_of(&document).context("a cart without lines")?;
        let units = |sku: &str| lines.get(sku).copied().unwrap_or(0);
        made += usize::from(units("CHAOS-3") > 0);
        if [units("CHAOS-1"), units("CHAOS-2"), units("CHAOS-3")] != [1, 1, 0]
            || document["version"].as_u64() != Some(*version)
        {
            verdict.violation("witness", format!("version {version} was acknowledged last: {document}"));
        }
    }
    Ok(made)
}

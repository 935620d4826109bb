use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use serde_json::json;
use smartcart_testkit::{fleet::Fleet, http::Request, ops::get_json};
use tokio::task::JoinSet;

use super::{options::Options, verdict::Verdict};
use crate::{client::Client, fleet::open_shop, session::Session};

/// The whole drain of a pod.
const DRAINED_WITHIN: Duration = Duration::from_secs(20);
const CLIENTS: usize = 64;

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let carts = options.short_or(5_000, 100_000);
    let mut fleet = options.fleet(2).await?;
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    // Two pods share them evenly, or nearly so.
    fill(&session, 2 * carts + carts / 10).await?;
    let (active, shards) = active_carts(&fleet, 0).await?;
    let took = fleet.stop(0).await?;
    let owners = fleet.owners(1).await?;
    let left = owners.iter().filter(|owner| owner.as_deref() != Some("b")).count();
    let mut verdict = Verdict {
        line: format!(
            "a pod with {active} active carts in {shards} shards was drained and ended in {} ms",
            took.as_millis()
        ),
        ..Verdict::default()
    };
    if took > DRAINED_WITHIN {
        verdict.violation("drained_late", format!("it took {took:?}"));
    }
    if left > 0 {
        verdict.violation("shards_left", format!("{left} shards are not the other pod's"));
    }
    if active < carts {
        verdict.violation("not_exercised", format!("only {active} carts were active"));
    }
    verdict.finish(&mut fleet, None).await?;
    Ok(verdict)
}

/// Carts with a line each.
async fn fill(session: &Arc<Session>, count: usize) -> anyhow::Result<()> {
    let left = Arc::new(AtomicUsize::new(count));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (mut client, left) = (session.client(), left.clone());
        clients.spawn(async move {
            while left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                fill_one(&mut client).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client.context("a client")??;
    }
    Ok(())
}

async fn fill_one(client: &mut Client) -> anyhow::Result<()> {
    let created =
        client.send(&Request::post("/v1/carts", json!({ "currency": "USD" }))).await.outcome.done()?;
    let cart = created.body["id"].as_str().context("a cart without an id")?.to_owned();
    let line = json!({ "sku": "CHAOS-1", "quantity": 1 });
    client.send(&Request::post(format!("/v1/carts/{cart}/items"), line)).await.outcome.done()?;
    Ok(())
}

/// Carts in the pod's memory, and the shards that are its own.
async fn active_carts(fleet: &Fleet, pod: usize) -> anyhow::Result<(usize, usize)> {
    let shards = get_json(fleet.ops(pod), "/ops/api/shards").await?;
    let name = fleet.name(pod);
    let (mut active, mut own) = (0, 0);
    for shard in shards["items"].as_array().context("no shards")? {
        if shard["owner"] == *name {
            own += 1;
            let carts = &shard["carts"];
            let resident = carts["resident"].as_u64().with_context(|| format!("no count in {carts}"))?;
            active += usize::try_from(resident)?;
        }
    }
    Ok((active, own))
}

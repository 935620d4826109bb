use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{Options, Verdict};
use crate::{chaos::doors::Doors, crowd::Sale, fleet::shard_of_sku};

const PODS: usize = 3;
const BALANCED_WITHIN: Duration = Duration::from_secs(30);
/// Holds that their buyers forget, in a hundred.
const FORGOTTEN: usize = 10;

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (units, buyers, at_once, middle) = options.short_or((200, 1_000, 64, 400), (1_000, 5_000, 500, 700));
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let doors = Arc::new(Doors::new(&fleet.addresses()));
    let sku = "EVERYBODY-WANTS-IT".to_owned();
    // The pod that has the SKU: nobody else's death could cost a unit.
    let owner = fleet.owners(0).await?[shard_of_sku(&sku)?].clone().unwrap_or_default();
    let victim = (0..PODS).find(|&pod| fleet.name(pod) == owner).unwrap_or(0);
    let sale = Sale { sku, units, buyers, at_once, forgotten: FORGOTTEN, seed: options.seed };
    let began = Instant::now();
    let token = fleet.token.clone();
    let killing = async {
        sleep(Duration::from_millis(middle)).await;
        fleet.kill(victim).await?;
        sleep(Duration::from_secs(1)).await;
        fleet.start(victim).await
    };
    let (takings, restarted) = tokio::join!(sale.hold(&doors, &token), killing);
    let (takings, took) = (takings?, began.elapsed());
    restarted?;
    let mut verdict = Verdict {
        line: format!(
            "{buyers} buyers, {units} units, the SKU's owner {owner} killed after {middle} ms: {takings}; settled after {} ms",
            took.as_millis()
        ),
        ..Verdict::default()
    };
    if !takings.is_exact(units) {
        verdict.violation("not_exact", verdict.line.clone());
    }
    fleet.balanced(BALANCED_WITHIN).await?;
    verdict.finish(&mut fleet, None).await?;
    Ok(verdict)
}

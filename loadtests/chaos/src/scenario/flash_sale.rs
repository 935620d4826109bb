use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::time::{sleep, timeout};

use super::{options::Options, verdict::Verdict};
use crate::{crowd::Sale, endpoints::Endpoints, shard::shard_of_sku};

const PODS: usize = 3;
const BALANCED_WITHIN: Duration = Duration::from_secs(30);
/// Holds that their buyers forget, in a hundred.
const FORGOTTEN: u32 = 10;
/// The sale is half over within this.
const HALF_WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let (units, buyers, at_once) = options.short_or((200, 1_000, 64), (1_000, 5_000, 500));
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let endpoints = Arc::new(Endpoints::new(&fleet.addresses()));
    let sku = "EVERYBODY-WANTS-IT".to_owned();
    // The pod that has the SKU: nobody else's death could cost a unit.
    let owner = fleet.owners(0).await?[shard_of_sku(&sku)?].clone().unwrap_or_default();
    let victim = (0..PODS).find(|&pod| fleet.name(pod) == owner).unwrap_or(0);
    let sale =
        Sale { sku, units, buyers, at_once, forgotten: FORGOTTEN, seed: options.seed, taken: Arc::default() };
    let began = Instant::now();
    let token = fleet.token.clone();
    let killing = async {
        let mut taken = sale.taken.subscribe();
        let half_over = timeout(HALF_WITHIN, taken.wait_for(|taken| *taken >= units / 2));
        let taken = *half_over.await.context("the sale does not come to its middle")??;
        fleet.kill(victim).await?;
        sleep(Duration::from_secs(1)).await;
        fleet.start(victim).await?;
        anyhow::Ok(taken)
    };
    let (takings, taken) = tokio::join!(sale.run(&endpoints, &token), killing);
    let (takings, took, taken) = (takings?, began.elapsed(), taken?);
    let mut verdict = Verdict {
        line: format!(
            "{buyers} buyers, {units} units, the SKU's owner killed when {taken} were taken: {takings}; settled after \
             {} ms",
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

use std::time::Duration;

use anyhow::Context;
use smartcart_testkit::random::{Fork as _, seeded};
use sqlx::PgPool;
use tokio::time::sleep;

use super::{options::Options, rolling, verdict::Verdict};
use crate::{
    fleet::{Balancer, Load, Pace, open_shop},
    load::Mix,
    verify,
};

const PODS: usize = 3;
const BALANCED_WITHIN: Duration = Duration::from_secs(30);

/// A deploy of the next version, and the way back, one pod after the other: meanwhile each reads what the other has written,
/// in the tables, in journals and on the wire.
pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let next = options.next.as_ref().context("the next version's binary is needed: --next")?;
    let (pace, calm) = options.short_or(
        (Pace { clients: 24, rate: 100 }, Duration::from_secs(1)),
        (Pace { clients: 96, rate: 500 }, Duration::from_secs(5)),
    );
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let session = open_shop(&fleet).await?;
    let ops = (0..PODS).map(|pod| fleet.ops(pod)).collect();
    let _balancer = Balancer::start(&session.endpoints, ops).await;
    let mut rng = seeded(options.seed);
    let mut verdict = Verdict::default();
    let mix = Mix { short_holds: false, checkouts: true };
    let mut lines = Vec::new();
    for (program, what) in [(next, "to the next version"), (&options.server, "and back")] {
        let load = Load::start(&session, pace, mix, &rng.fork(lines.len() as u64)).await;
        sleep(calm).await;
        for pod in 0..PODS {
            fleet.stop(pod).await?;
            fleet.set_program(pod, program)?;
            fleet.start(pod).await?;
            fleet.balanced(BALANCED_WITHIN).await?;
            sleep(calm).await;
        }
        load.stop().await?;
        check_schema(&fleet.postgres.pool().await?).await?;
        lines.push(format!("{what}: {}", rolling::part(&session, &mut verdict, what, &mut rng).await?));
    }
    // One of each, and both die with no time for a handover: the other version finishes their journals.
    fleet.stop(0).await?;
    fleet.set_program(0, next)?;
    fleet.start(0).await?;
    fleet.balanced(BALANCED_WITHIN).await?;
    let load = Load::start(&session, pace, mix, &rng.fork(9)).await;
    for pod in [0, 1] {
        sleep(calm).await;
        fleet.kill(pod).await?;
        fleet.start(pod).await?;
        fleet.balanced(BALANCED_WITHIN).await?;
    }
    load.stop().await?;
    verdict.violations.extend(verify::round(&session, &mut rng).await.violations);
    verdict.line = lines.join("; ");
    verdict.finish(&mut fleet, Some(&session)).await?;
    Ok(verdict)
}

/// A server that was not built to simulate its next version would have been rolled to itself.
async fn check_schema(pool: &PgPool) -> anyhow::Result<()> {
    let migrated: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM information_schema.columns WHERE table_name = 'cart' AND column_name = 'gift_note')",
    )
    .fetch_one(pool)
    .await?;
    anyhow::ensure!(
        migrated,
        "the next version's columns are not in the database: --next is no next version"
    );
    Ok(())
}

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::{process::Command, time::sleep};

use super::{Options, Verdict};
use crate::{fleet::Fleet, rng::Rng};

const PODS: usize = 3;
const BALANCED_WITHIN: Duration = Duration::from_secs(30);
/// The longest that the whole may take.
const LONGEST: Duration = Duration::from_secs(30 * 60);
const SHORT_INVOICES: &str = "150";

pub(super) async fn run(options: &Options) -> anyhow::Result<Verdict> {
    let mut fleet = options.fleet(PODS).await?;
    fleet.start_all().await?;
    let token = options.directory.join("pod-a/admin-token");
    let mut command = Command::new(&options.replay);
    command.arg("--token-file").arg(token).arg("--file").arg(&options.trade);
    command.arg("--state").arg(options.directory.join("replay.jsonl"));
    for address in fleet.addresses() {
        command.arg("--base-url").arg(format!("http://{address}"));
    }
    if options.short {
        command.args(["--limit-invoices", SHORT_INVOICES]);
    }
    let log = options.directory.join("replay.log");
    let output = std::fs::File::create(&log)?;
    command.stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
    let began = Instant::now();
    let mut replay = command.spawn().context("the replay")?;
    let mut disturbed = Disturbed::default();
    let mut rng = Rng::new(options.seed);
    let status = loop {
        let pause = Duration::from_millis(rng.between(500, options.short_or(2_000, 6_000)));
        tokio::select! {
            status = replay.wait() => break status?,
            () = sleep(pause) => disturbed.disturb(&mut fleet, &mut rng).await?,
        }
        anyhow::ensure!(began.elapsed() < LONGEST, "the replay did not end within {LONGEST:?}");
    };
    let mut verdict = Verdict {
        line: format!(
            "pods killed {} times and restarted {} times, their servers {} times, in {} s; {}",
            disturbed.kills,
            disturbed.restarts,
            disturbed.servers,
            began.elapsed().as_secs(),
            if status.success() { "no difference in the books" } else { "the books differ" }
        ),
        ..Verdict::default()
    };
    if !status.success() {
        verdict.violation("books_differ", std::fs::read_to_string(&log)?);
    }
    if disturbed.kills + disturbed.restarts == 0 {
        verdict.violation("not_exercised", "no pod was restarted");
    }
    fleet.balanced(BALANCED_WITHIN).await?;
    verdict.finish(&mut fleet, None).await?;
    Ok(verdict)
}

#[derive(Default)]
struct Disturbed {
    kills: usize,
    restarts: usize,
    /// Of Redis and of PostgreSQL.
    servers: usize,
}

impl Disturbed {
    /// Some pod ends, well or not, and comes back; with a journal in Redis, that or PostgreSQL does so, too.
    async fn disturb(&mut self, fleet: &mut Fleet, rng: &mut Rng) -> anyhow::Result<()> {
        if fleet.redis.is_some() && rng.chance(50) {
            return self.disturb_servers(fleet, rng).await;
        }
        let pod = rng.below(PODS);
        if rng.chance(50) {
            fleet.kill(pod).await?;
            self.kills += 1;
            // Long enough for the others to notice, now and then.
            sleep(Duration::from_millis(rng.between(0, 8_000))).await;
        } else {
            fleet.stop(pod).await?;
            self.restarts += 1;
        }
        fleet.start(pod).await?;
        Ok(())
    }

    async fn disturb_servers(&mut self, fleet: &mut Fleet, rng: &mut Rng) -> anyhow::Result<()> {
        self.servers += 1;
        let away = Duration::from_millis(rng.between(0, 3_000));
        match &mut fleet.redis {
            Some(redis) if rng.chance(50) => {
                redis.kill()?;
                sleep(away).await;
                redis.start().await
            }
            _ => {
                fleet.postgres.crash().await?;
                sleep(away).await;
                fleet.postgres.start().await
            }
        }
    }
}

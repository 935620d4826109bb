use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Context;
use rand::RngExt as _;
use smartcart_testkit::{
    fleet::Fleet,
    random::{Rng, seeded},
};
use tokio::{process::Command, time::sleep};

use super::{options::Options, verdict::Verdict};

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
    let mut rng = seeded(options.seed);
    let status = loop {
        let pause = Duration::from_millis(rng.random_range(500..=options.short_or(2_000, 6_000)));
        tokio::select! {
            status = replay.wait() => break status?,
            () = sleep(pause) => disturbed.disturb(&mut fleet, &mut rng).await?,
        }
        anyhow::ensure!(began.elapsed() < LONGEST, "the replay did not end within {LONGEST:?}");
    };
    let mut verdict = Verdict {
        line: format!(
            "{disturbed}, in {} s; {}",
            began.elapsed().as_secs(),
            if status.success() { "no difference in the books" } else { "the books differ" }
        ),
        ..Verdict::default()
    };
    if !status.success() {
        verdict.violation("books_differ", std::fs::read_to_string(&log)?);
    }
    if !disturbed.is_enough(options.redis.is_some()) {
        verdict.violation("not_exercised", disturbed.to_string());
    }
    fleet.balanced(BALANCED_WITHIN).await?;
    verdict.finish(&mut fleet, None).await?;
    Ok(verdict)
}

/// What happens to a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    /// A pod ends without a word, and comes back.
    Kill,
    /// A pod ends in good order, and comes back.
    Restart,
    Redis,
    Postgres,
}

/// Disturbances at random, each kind once before any comes again.
#[derive(Debug, Default)]
struct Disturbed {
    left: Vec<Disturbance>,
    kills: usize,
    restarts: usize,
    redis: usize,
    postgres: usize,
}

impl Disturbed {
    async fn disturb(&mut self, fleet: &mut Fleet, rng: &mut Rng) -> anyhow::Result<()> {
        if self.left.is_empty() {
            self.left = vec![Disturbance::Kill, Disturbance::Restart];
            if fleet.redis.is_some() {
                self.left.extend([Disturbance::Redis, Disturbance::Postgres]);
            }
        }
        let pod = rng.random_range(0..PODS);
        let away = Duration::from_millis(rng.random_range(0..=3_000));
        match self.left.swap_remove(rng.random_range(0..self.left.len())) {
            Disturbance::Kill => {
                fleet.kill(pod).await?;
                self.kills += 1;
                // Long enough for the others to notice, now and then.
                sleep(Duration::from_millis(rng.random_range(0..=8_000))).await;
                fleet.start(pod).await?;
            }
            Disturbance::Restart => {
                fleet.stop(pod).await?;
                self.restarts += 1;
                fleet.start(pod).await?;
            }
            Disturbance::Redis => {
                let redis = fleet.redis.as_mut().context("the journal is in no Redis")?;
                redis.kill()?;
                self.redis += 1;
                sleep(away).await;
                redis.start().await?;
            }
            Disturbance::Postgres => {
                fleet.postgres.crash().await?;
                self.postgres += 1;
                sleep(away).await;
                fleet.postgres.start().await?;
            }
        }
        Ok(())
    }

    fn is_enough(&self, with_redis: bool) -> bool {
        self.kills + self.restarts > 0 && (!with_redis || self.redis > 0 && self.postgres > 0)
    }
}

impl fmt::Display for Disturbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, restarts, redis, postgres, .. } = self;
        write!(
            f,
            "pods killed {kills} times and restarted {restarts} times, Redis {redis}, PostgreSQL {postgres}"
        )
    }
}

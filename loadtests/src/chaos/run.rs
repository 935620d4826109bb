//! The rounds, one after another, on one store.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{task::JoinSet, time::sleep};

use super::{
    Violation,
    aftermath::{self, Findings},
    client::Outcome,
    doors::Doors,
    kill::{Moment, Plan},
    load::{Mix, SHARED_CARTS, Stage, Worker},
    setup,
    world::{Meaning, World},
};
use crate::{
    rng::Rng,
    server::{Launch, Server},
};

/// A start, and the recovery in it, may take this long.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// So many rounds must have had every kind of request acknowledged.
const EXERCISES_ALL: u64 = 5;

#[derive(Debug, Clone)]
pub struct Options {
    pub server: PathBuf,
    pub rounds: u64,
    /// The longest load of a round.
    pub longest: Duration,
    pub seed: u64,
    pub workers: u64,
}

#[derive(Debug, Default)]
pub struct Summary {
    pub requests: usize,
    pub acknowledged: usize,
    pub refused: usize,
    pub indeterminate: usize,
    pub retried: usize,
    pub replayed: usize,
    pub repeated: usize,
    pub rounds: u64,
    pub kills: usize,
    /// Acknowledged requests by what they did: a run that exercised nothing proves nothing.
    pub by_kind: BTreeMap<&'static str, usize>,
    pub violations: Vec<Violation>,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} rounds, {} kills, {} requests: {} acknowledged, {} refused, {} indeterminate; {} sent again ({} had been made), {} \
             repeated; {} violations",
            self.rounds,
            self.kills,
            self.requests,
            self.acknowledged,
            self.refused,
            self.indeterminate,
            self.retried,
            self.replayed,
            self.repeated,
            self.violations.len()
        )?;
        let kinds: Vec<String> = self.by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        write!(f, "\nacknowledged: {}", kinds.join(", "))
    }
}

/// Runs the rounds in `directory`, and prints a line for each. Ends at the first round with violations.
pub async fn run(options: &Options, directory: &Path) -> anyhow::Result<Summary> {
    let launch = Launch::prepare(&options.server, directory, &[("SMARTCART_SEED", "none".to_owned())])?;
    let stage = Arc::new(Stage::new(Doors::new(&[launch.listen]), &launch.token));
    let mut server = launch.start()?;
    server.ready(READY_WITHIN).await?;
    let mut world = World::default();
    setup::stock_the_shop(&mut stage.client(), &mut world).await?;
    *stage.world() = world;

    let mut summary = Summary::default();
    for round in 1..=options.rounds {
        let mut rng = Rng::new(options.seed).fork(round);
        let plan = Plan::draw(&mut rng, options.longest);
        load_until_killed(&stage, server, &plan, options.workers, &rng).await?;
        summary.rounds = round;
        summary.kills += 1 + plan.during_recovery.len();
        for after in &plan.during_recovery {
            let recovering = launch.start()?;
            sleep(*after).await;
            recovering.kill().await?;
        }
        server = launch.start()?;
        let restarted_in = server.ready(READY_WITHIN).await?;
        summary.count(&stage.world());
        let requests = stage.world().journal.len();
        let findings = aftermath::judge(&stage, &mut rng).await;
        println!("{}", line(round, &plan, requests, restarted_in, &findings));
        summary.add(findings);
        if !summary.violations.is_empty() {
            write_journal(&stage.world(), &directory.join("journal.txt"))?;
            return Ok(summary);
        }
    }
    finish(&stage, server, &launch, &mut summary).await?;
    let idle: Vec<_> =
        Meaning::KINDS.into_iter().filter(|kind| !summary.by_kind.contains_key(kind)).collect();
    if options.rounds >= EXERCISES_ALL && !idle.is_empty() {
        summary
            .violations
            .push(Violation::new("not_exercised", format!("nothing of {idle:?} was acknowledged")));
    }
    Ok(summary)
}

async fn load_until_killed(
    stage: &Arc<Stage>,
    server: Server,
    plan: &Plan,
    workers: u64,
    rng: &Rng,
) -> anyhow::Result<()> {
    stage.stop.store(false, Ordering::SeqCst);
    stage.fuse.hold(server);
    let mix = Mix::draw(&mut rng.fork(0));
    let worker = |number| Worker::new(stage.clone(), rng.fork(number), mix);
    let mut first = worker(workers + 1);
    for _ in 0..SHARED_CARTS {
        first.create_shared().await;
    }
    let mut clients = JoinSet::new();
    for number in 1..=workers {
        clients.spawn(worker(number).run());
    }
    match plan.moment {
        Moment::After(after) => sleep(after).await,
        Moment::Answer { after } => {
            sleep(after).await;
            stage.fuse.arm().await;
        }
        Moment::Checkout { after, then } => {
            sleep(after).await;
            // Where every checkout is refused, some moment is as good.
            let _ = tokio::time::timeout(Duration::from_secs(1), stage.checkout_answered.notified()).await;
            sleep(then).await;
        }
    }
    stage.fuse.kill().await?;
    stage.stop.store(true, Ordering::SeqCst);
    while let Some(client) = clients.join_next().await {
        client.context("a client of the load")?;
    }
    Ok(())
}

/// Everything once more, an orderly stop, and the server's own audit.
async fn finish(stage: &Stage, server: Server, launch: &Launch, summary: &mut Summary) -> anyhow::Result<()> {
    summary.violations.extend(aftermath::judge_everything(stage).await);
    let status = server.stop(READY_WITHIN).await?;
    ensure!(status.success(), "after SIGTERM the server ended with {status}");
    if let Err(error) = launch.verify().await {
        summary.violations.push(Violation::new("verify", format!("{error:#}")));
    }
    Ok(())
}

impl Summary {
    fn count(&mut self, world: &World) {
        self.requests += world.journal.len();
        for entry in &world.journal {
            match entry.first.outcome {
                Outcome::Acknowledged(_) => {
                    self.acknowledged += 1;
                    *self.by_kind.entry(entry.meaning.kind()).or_default() += 1;
                }
                Outcome::Refused(_) => self.refused += 1,
                Outcome::Indeterminate(_) | Outcome::NotSent => self.indeterminate += 1,
            }
        }
    }

    fn add(&mut self, findings: Findings) {
        self.retried += findings.retried;
        self.replayed += findings.replayed;
        self.repeated += findings.repeated;
        self.violations.extend(findings.violations);
    }
}

fn line(round: u64, plan: &Plan, requests: usize, restarted_in: Duration, findings: &Findings) -> String {
    format!(
        "round {round:>3}: {requests:>5} requests, {plan}; ready in {} ms; {} sent again ({} had been made), {} repeated, \
         settled in {} ms; {} violations",
        restarted_in.as_millis(),
        findings.retried,
        findings.replayed,
        findings.repeated,
        findings.settled_after.as_millis(),
        findings.violations.len()
    )
}

/// The clients' journal of a round that went wrong, one request a line.
fn write_journal(world: &World, path: &Path) -> anyhow::Result<()> {
    let lines: Vec<String> = world.journal.iter().map(|entry| format!("{entry:?}\n")).collect();
    std::fs::write(path, lines.concat()).with_context(|| format!("writing {}", path.display()))
}

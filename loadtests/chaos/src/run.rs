//! The rounds, one after another, on one store.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use smartcart_testkit::{
    random::{Fork as _, Rng, seeded},
    report::Violation,
    server::{Launch, Server},
};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::Outcome,
    endpoints::Endpoints,
    history::History,
    journal::Meaning,
    kill::{Moment, Plan},
    load::{Mix, SHARED_CARTS, Worker},
    session::Session,
    setup,
    verify::{self, Findings},
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
    /// Requests that were sent again with their keys under the load, by what they did.
    pub repeats: BTreeMap<&'static str, usize>,
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
        let told = |of: &BTreeMap<&str, usize>| {
            let kinds: Vec<String> = of.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            kinds.join(", ")
        };
        write!(f, "\nacknowledged: {}", told(&self.by_kind))?;
        write!(f, "\nsent again under the load: {}", told(&self.repeats))
    }
}

/// Runs the rounds in `directory`, and prints a line for each. Ends at the first round with violations.
pub async fn run(options: &Options, directory: &Path) -> anyhow::Result<Summary> {
    let launch = Launch::prepare(&options.server, directory, &[("SMARTCART_SEED", "none".to_owned())])?;
    let session = Arc::new(Session::new(Endpoints::new(&[launch.listen]), &launch.token));
    let mut server = launch.start()?;
    server.ready(READY_WITHIN).await?;
    let mut history = History::default();
    setup::stock_the_shop(&mut session.client(), &mut history).await?;
    *session.history() = history;

    let mut summary = Summary::default();
    for round in 1..=options.rounds {
        let mut rng = seeded(options.seed).fork(round);
        let plan = Plan::draw(&mut rng, options.longest);
        load_until_killed(&session, server, &plan, options.workers, &rng).await?;
        summary.rounds = round;
        summary.kills += 1 + plan.during_recovery.len();
        for after in &plan.during_recovery {
            let recovering = launch.start()?;
            sleep(*after).await;
            recovering.kill().await?;
        }
        server = launch.start()?;
        let restarted_in = server.ready(READY_WITHIN).await?;
        summary.count(&session.history());
        let requests = session.history().journal.len();
        let findings = verify::round(&session, &mut rng).await;
        println!("{}", line(round, &plan, requests, restarted_in, &findings));
        summary.add(findings);
        if !summary.violations.is_empty() {
            write_journal(&session.history(), &directory.join("journal.txt"))?;
            return Ok(summary);
        }
    }
    finish(&session, server, &launch, &mut summary).await?;
    let exercised = |kind: &&str| summary.by_kind.contains_key(kind) && summary.repeats.contains_key(kind);
    let idle: Vec<_> = Meaning::KINDS.into_iter().filter(|kind| !exercised(kind)).collect();
    if options.rounds >= EXERCISES_ALL && !idle.is_empty() {
        summary.violations.push(Violation::new(
            "not_exercised",
            format!("nothing of {idle:?} was acknowledged, or sent again"),
        ));
    }
    Ok(summary)
}

async fn load_until_killed(
    session: &Arc<Session>,
    server: Server,
    plan: &Plan,
    workers: u64,
    rng: &Rng,
) -> anyhow::Result<()> {
    session.stop.store(false, Ordering::SeqCst);
    session.kill_switch.hold(server);
    let mix = Mix::draw(&mut rng.fork(0));
    let worker = |number| Worker::new(session.clone(), rng.fork(number), mix);
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
            session.kill_switch.arm().await;
        }
        Moment::Checkout { after, then } => {
            sleep(after).await;
            // Where every checkout is refused, some moment is as good.
            let _ = tokio::time::timeout(Duration::from_secs(1), session.checkout_answered.notified()).await;
            sleep(then).await;
        }
    }
    session.kill_switch.kill().await?;
    session.stop.store(true, Ordering::SeqCst);
    while let Some(client) = clients.join_next().await {
        client.context("a client of the load")?;
    }
    Ok(())
}

/// Everything once more, an orderly stop, and the server's own audit.
async fn finish(
    session: &Session,
    server: Server,
    launch: &Launch,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    summary.violations.extend(verify::everything(session).await);
    let status = server.stop(READY_WITHIN).await?;
    ensure!(status.success(), "after SIGTERM the server ended with {status}");
    if let Err(error) = launch.verify().await {
        summary.violations.push(Violation::new("verify", format!("{error:#}")));
    }
    Ok(())
}

impl Summary {
    fn count(&mut self, history: &History) {
        self.requests += history.journal.len();
        for entry in &history.journal {
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
        for (kind, count) in findings.repeats {
            *self.repeats.entry(kind).or_default() += count;
        }
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
fn write_journal(history: &History, path: &Path) -> anyhow::Result<()> {
    let lines: Vec<String> = history.journal.iter().map(|entry| format!("{entry:?}\n")).collect();
    std::fs::write(path, lines.concat()).with_context(|| format!("writing {}", path.display()))
}

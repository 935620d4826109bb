//! Everything at once on one shop, and then a look at whether it still takes changes.

use std::{fmt, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use serde_json::json;
use smartcart_testkit::{
    http::Request,
    ops::drained,
    random::{Fork as _, seeded},
    report::Violation,
    server::Launch,
};
use tokio::{task::JoinSet, time::Instant};

use super::{
    calls::{Caretaker, Kinds, SKU},
    checkouts::{Bought, Buyer},
    flood::{Flood, Largest},
};
use crate::{client::Outcome, endpoints::Endpoints, history::History, session::Session, setup};

const READY_WITHIN: Duration = Duration::from_secs(30);
const LEVEL_WITHIN: Duration = Duration::from_secs(60);
const BUYERS: u64 = 24;
/// Rows that some flush must have had: with as many, it leaves room for others between its transactions, twice.
const MANY_ROWS: u64 = 1_024;
const GOES: u64 = 4;

#[derive(Debug, Default)]
pub struct Summary {
    pub created: u64,
    pub bought: Bought,
    pub kinds: Kinds,
    pub largest_flush: u64,
    pub violations: Vec<Violation>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bought { checkouts, replays } = self.bought;
        let calls: usize = self.kinds.values().sum();
        write!(
            f,
            "replays: {calls} calls of {} kinds, each sent five times; {checkouts} checkouts replayed {replays} times while {} \
             carts were created, and a flush had {} rows; {} violations",
            self.kinds.len(),
            self.created,
            self.largest_flush,
            self.violations.len()
        )
    }
}

/// On a new shop in `directory`, with the server's default settings.
pub async fn run(server: &Path, directory: &Path, length: Duration, seed: u64) -> anyhow::Result<Summary> {
    let launch = Launch::prepare(server, directory, &[("SMARTCART_SEED", "none".to_owned())])?;
    let mut server = launch.start()?;
    server.ready(READY_WITHIN).await?;
    let session = Arc::new(Session::new(Endpoints::new(&[launch.listen]), &launch.token));
    setup::stock_the_shop(&mut session.client(), &mut History::default()).await?;
    setup::offer(&mut session.client(), "replays", SKU).await?;

    let largest = Largest::default();
    let mut summary = Summary::default();
    // A machine that has other work may need more than one go until a flush is large enough.
    for go in 0..GOES {
        tokio::select! {
            done = repeat_all(&session, launch.listen, length, seed + go, &mut summary) => done?,
            error = largest.watch(launch.ops) => return Err(error),
        }
        summary.largest_flush = largest.rows();
        if summary.largest_flush > MANY_ROWS || !summary.violations.is_empty() {
            break;
        }
    }
    if summary.violations.is_empty() {
        summary.check_exercised();
    }
    summary.violations.extend(takes_changes(&session).await);
    if summary.violations.is_empty() {
        drained(launch.ops, LEVEL_WITHIN).await?;
        let status = server.stop(READY_WITHIN).await?;
        ensure!(status.success(), "after SIGTERM the server ended with {status}");
        if let Err(error) = launch.verify().await {
            summary.violations.push(Violation::new("verify", format!("{error:#}")));
        }
    }
    Ok(summary)
}

async fn repeat_all(
    session: &Arc<Session>,
    address: SocketAddr,
    length: Duration,
    seed: u64,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let (rng, until) = (seeded(seed), Instant::now() + length);
    let flood = Flood::start(address);
    let mut buyers = JoinSet::new();
    for number in 0..BUYERS {
        buyers.spawn(Buyer::new(session, rng.fork(number)).run(until));
    }
    let caretaker = tokio::spawn(Caretaker::new(session, rng.fork(BUYERS)).run(until));
    while let Some(bought) = buyers.join_next().await {
        match bought.context("a buyer")? {
            Ok(bought) => {
                summary.bought.checkouts += bought.checkouts;
                summary.bought.replays += bought.replays;
            }
            Err(violation) => summary.violations.push(violation),
        }
    }
    match caretaker.await.context("the caretaker")? {
        Ok(kinds) => {
            for (kind, count) in kinds {
                *summary.kinds.entry(kind).or_default() += count;
            }
        }
        Err(violation) => summary.violations.push(violation),
    }
    summary.created += flood.stop().await?;
    Ok(())
}

impl Summary {
    /// A run that exercised nothing proves nothing.
    fn check_exercised(&mut self) {
        let idle: Vec<_> =
            Caretaker::KINDS.into_iter().filter(|kind| !self.kinds.contains_key(kind)).collect();
        if !idle.is_empty() || self.bought.checkouts == 0 || self.largest_flush <= MANY_ROWS {
            let what = format!("nothing of {idle:?}; {self}");
            self.violations.push(Violation::new("not_exercised", what));
        }
    }
}

/// A guest can still fill a cart.
async fn takes_changes(session: &Session) -> Option<Violation> {
    let create = Request::post("/v1/carts", json!({ "currency": "USD" }));
    match session.client().send(&create).await.outcome {
        Outcome::Acknowledged(_) => None,
        other => Some(Violation::new("read_only", format!("a cart cannot be created any more: {other:?}"))),
    }
}

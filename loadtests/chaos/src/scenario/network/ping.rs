//! Some carts of one pod, asked for at two pods all the time: at the one that owns them, and at another. Each ping adds one
//! unit under a key of its own and then reads the cart, so that every answer can be judged by when it was asked for.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::json;
use smartcart_testkit::{fleet::Fleet, http::Request};
use tokio::{task::JoinSet, time::sleep};

use super::super::verdict::Verdict;
use crate::{
    cart::lines_of,
    client::{Client, Outcome},
    endpoints::Endpoints,
    fleet::Probe,
    session::Session,
};

const CARTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(100);
const SKU: &str = "CHAOS-1";
/// A ping whose outcome is not known is sent again for this long.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);

/// Which pod a ping came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Own,
    Other,
}

#[derive(Debug)]
pub(super) struct Ping {
    endpoint: Endpoint,
    cart: String,
    request: Request,
    sent: Instant,
    took: Duration,
    outcome: Outcome,
    read_sent: Instant,
    /// Units in the cart, when the read was answered.
    read: Option<usize>,
}

/// Pings under way.
#[derive(Debug)]
pub(super) struct Pinging {
    stop: Arc<AtomicBool>,
    pings: JoinSet<Vec<Ping>>,
}

/// All pings of a time.
#[derive(Debug)]
pub(super) struct Pings(Vec<Ping>);

impl Pinging {
    /// Of carts that the pod owns now.
    pub(super) async fn start(
        session: &Session,
        fleet: &Fleet,
        pod: usize,
        other: usize,
    ) -> anyhow::Result<Self> {
        let (owners, name) = (fleet.owners(other).await?, fleet.name(pod));
        let (mut creator, mut pings) = (session.client(), JoinSet::new());
        let stop = Arc::new(AtomicBool::new(false));
        let addresses = fleet.addresses();
        let mut carts = 0;
        while carts < CARTS {
            let Probe { cart, shard } = Probe::create(&mut creator).await?;
            if owners[shard].as_deref() != Some(&name) {
                continue;
            }
            carts += 1;
            for (endpoint, at) in [(Endpoint::Own, pod), (Endpoint::Other, other)] {
                let only = Arc::new(Endpoints::new(&[addresses[at]]));
                let client = Client::new(only, &session.token, session.ticks.clone());
                pings.spawn(ping(client, endpoint, cart.clone(), stop.clone()));
            }
        }
        Ok(Self { stop, pings })
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<Pings> {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Vec::new();
        while let Some(pings) = self.pings.join_next().await {
            all.extend(pings.context("a ping")?);
        }
        Ok(Pings(all))
    }
}

async fn ping(mut client: Client, endpoint: Endpoint, cart: String, stop: Arc<AtomicBool>) -> Vec<Ping> {
    let mut pings = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let request = Request::post(format!("/v1/carts/{cart}/items"), json!({ "sku": SKU, "quantity": 1 }))
            .key(format!("ping-{endpoint:?}-{cart}-{:08}", pings.len()));
        let sent = Instant::now();
        let outcome = client.send(&request).await.outcome;
        let took = sent.elapsed();
        let read_sent = Instant::now();
        let read = client.send(&Request::get(format!("/v1/carts/{cart}"))).await.outcome;
        let read = acknowledged(&read).and_then(units);
        if !matches!(outcome, Outcome::NotSent) {
            pings.push(Ping { endpoint, cart: cart.clone(), request, sent, took, outcome, read_sent, read });
        }
        sleep(PAUSE).await;
    }
    pings
}

fn acknowledged(outcome: &Outcome) -> Option<&serde_json::Value> {
    match outcome {
        Outcome::Acknowledged(answer) => Some(&answer.body),
        Outcome::NotSent | Outcome::Indeterminate(_) | Outcome::Refused(_) => None,
    }
}

/// Of the one SKU that pings add.
fn units(cart: &serde_json::Value) -> Option<usize> {
    Some(lines_of(cart)?.get(SKU).copied().unwrap_or(0) as usize)
}

impl Ping {
    fn is_acknowledged(&self) -> bool {
        matches!(self.outcome, Outcome::Acknowledged(_))
    }

    /// When it was answered.
    fn answered(&self) -> Instant {
        self.sent + self.took
    }
}

impl Pings {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Those sent at an endpoint in a time.
    pub(super) fn sent(&self, endpoint: Endpoint, from: Instant, until: Instant) -> Sent<'_> {
        let there = |ping: &&Ping| ping.endpoint == endpoint && from <= ping.sent && ping.sent < until;
        Sent(self.0.iter().filter(there).collect())
    }

    /// After `since`, the first acknowledgement at an endpoint.
    pub(super) fn first_acknowledged(&self, endpoint: Endpoint, since: Instant) -> Option<Duration> {
        let after = |ping: &&Ping| ping.endpoint == endpoint && ping.sent >= since && ping.is_acknowledged();
        self.0.iter().filter(after).map(|ping| ping.answered() - since).min()
    }

    /// No read misses what had been acknowledged, at whatever endpoint, before it was asked for.
    pub(super) fn check_reads(&self, verdict: &mut Verdict) {
        let mut answered: HashMap<&str, Vec<Instant>> = HashMap::new();
        for ping in self.0.iter().filter(|ping| ping.is_acknowledged()) {
            answered.entry(&ping.cart).or_default().push(ping.answered());
        }
        for ping in &self.0 {
            let Some(read) = ping.read else { continue };
            let before = answered.get(ping.cart.as_str());
            let known =
                before.map_or(0, |times| times.iter().filter(|time| **time <= ping.read_sent).count());
            if read < known {
                let what = format!(
                    "cart {} was read at the {:?} endpoint with {read} units when {known} had been acknowledged",
                    ping.cart, ping.endpoint
                );
                verdict.violation("stale_read", what);
            }
        }
    }

    /// Sends again what is not known, until it is; then each cart has one unit for each ping. How many were sent again,
    /// and of those how many had been made.
    pub(super) async fn settle(
        &self,
        session: &Session,
        verdict: &mut Verdict,
    ) -> anyhow::Result<(usize, usize)> {
        let mut client = session.client();
        let (mut again, mut made) = (0, 0);
        let mut expected: HashMap<&str, usize> = HashMap::new();
        for ping in &self.0 {
            *expected.entry(&ping.cart).or_default() += 1;
            match &ping.outcome {
                Outcome::Refused(answer) => {
                    verdict.violation("refused", format!("{:?}: {answer:?}", ping.request));
                }
                Outcome::Indeterminate(_) => {
                    again += 1;
                    made += usize::from(until_done(&mut client, &ping.request).await?);
                }
                Outcome::Acknowledged(_) | Outcome::NotSent => {}
            }
        }
        for (cart, expected) in expected {
            let read = client.send(&Request::get(format!("/v1/carts/{cart}"))).await.outcome;
            let found = acknowledged(&read).and_then(units);
            if found != Some(expected) {
                let what = format!("cart {cart} has {found:?} units after {expected} pings");
                verdict.violation("not_exactly_once", what);
            }
        }
        Ok((again, made))
    }
}

/// Whether it had been made before.
async fn until_done(client: &mut Client, request: &Request) -> anyhow::Result<bool> {
    let began = Instant::now();
    loop {
        match client.send(request).await.outcome {
            Outcome::Acknowledged(answer) => return Ok(answer.replayed),
            Outcome::Refused(answer) => bail!("{request:?} is refused: {answer:?}"),
            other if began.elapsed() > SETTLES_WITHIN => bail!("{request:?} is not settled: {other:?}"),
            Outcome::Indeterminate(_) | Outcome::NotSent => sleep(PAUSE).await,
        }
    }
}

/// Some pings of one endpoint.
pub(super) struct Sent<'a>(Vec<&'a Ping>);

impl Sent<'_> {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.0.iter().filter(|ping| ping.is_acknowledged()).count()
    }

    /// What else they were answered, by what it was.
    pub(super) fn failures(&self) -> Vec<String> {
        let failed = self.0.iter().filter(|ping| !ping.is_acknowledged());
        failed.map(|ping| format!("after {} ms: {:?}", ping.took.as_millis(), ping.outcome)).collect()
    }

    /// Those that were not answered with 503.
    pub(super) fn unclean(&self) -> Vec<String> {
        let clean = |outcome: &Outcome| match outcome {
            Outcome::Acknowledged(_) => true,
            Outcome::Indeterminate(why) => why.starts_with("503 "),
            Outcome::NotSent | Outcome::Refused(_) => false,
        };
        let unclean = self.0.iter().filter(|ping| !clean(&ping.outcome));
        unclean.map(|ping| format!("after {} ms: {:?}", ping.took.as_millis(), ping.outcome)).collect()
    }

    /// The longest wait for an answer.
    pub(super) fn longest(&self) -> Duration {
        self.0.iter().map(|ping| ping.took).max().unwrap_or_default()
    }
}

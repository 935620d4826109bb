//! Carts of a pod that goes to sleep and is taken over meanwhile. When it wakes up, it is asked to change and to read them, on
//! connections that were open before: it must acknowledge nothing, and read nothing that is not the last.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use smartcart_testkit::{
    fleet::Fleet,
    http::{Connection, Request, Response, render},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::verdict::Verdict;
use crate::{cart::lines_of, client::Client, fleet::Probe, session::Session};

/// The carts of the sleeping pod that are asked for.
pub(super) const WITNESSES: usize = 24;
/// A change that waits for the takeover is tried for this long.
const ADDED_WITHIN: Duration = Duration::from_secs(30);

/// A cart of the pod that is going to sleep.
pub(super) struct Witness {
    pub(super) cart: String,
    address: SocketAddr,
    /// As last acknowledged by anybody.
    version: u64,
}

impl Witness {
    pub(super) async fn create_all(
        session: &Arc<Session>,
        fleet: &Fleet,
        pod: usize,
    ) -> anyhow::Result<Vec<Self>> {
        let (owners, name) = (fleet.owners(pod).await?, fleet.name(pod));
        let (mut client, mut witnesses) = (session.client(), Vec::new());
        while witnesses.len() < WITNESSES {
            let Probe { cart, shard } = Probe::create(&mut client).await?;
            if owners[shard].as_deref() == Some(&name) {
                witnesses.push(Self { cart, address: fleet.addresses()[pod], version: 0 });
            }
        }
        Ok(witnesses)
    }

    /// By whoever owns it; tried until it is done.
    pub(super) async fn add(&mut self, client: &mut Client, sku: &str) -> anyhow::Result<()> {
        let request =
            Request::post(format!("/v1/carts/{}/items", self.cart), json!({ "sku": sku, "quantity": 1 }))
                .key(format!("witness-of-the-old-epoch-{sku}-{}", self.cart));
        let began = Instant::now();
        loop {
            match client.send(&request).await.outcome.done() {
                Ok(answer) => {
                    self.version = answer.body["version"].as_u64().context("a cart without a version")?;
                    return Ok(());
                }
                Err(error) if began.elapsed() > ADDED_WITHIN => return Err(error),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// What only the old epoch is asked to add.
    fn forbidden_change(&self) -> Vec<u8> {
        let body = json!({ "sku": "CHAOS-3", "quantity": 1 }).to_string();
        render("POST", &format!("/v1/carts/{}/items", self.cart), &[], Some(&body))
    }

    fn read(&self) -> Vec<u8> {
        render("GET", &format!("/v1/carts/{}", self.cart), &[], None)
    }
}

/// One answer of the old epoch, if there was one: of which witness, to a change or a read.
pub(super) struct Asked {
    witness: usize,
    change: bool,
    answer: Option<Response>,
}

/// Longer than the pod sleeps.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a change and a read of each to the sleeping pod, on connections that it has not refused: they lie in its sockets
/// until it wakes up.
pub(super) async fn ask_all(witnesses: &[Witness]) -> anyhow::Result<JoinSet<Asked>> {
    Ok(ask_again(connect_all(witnesses).await?, witnesses))
}

pub(super) async fn connect_all(witnesses: &[Witness]) -> anyhow::Result<Vec<[Connection; 2]>> {
    let mut connections = Vec::new();
    for witness in witnesses {
        let open = || timeout(Duration::from_secs(2), Connection::open(witness.address));
        let (change, read) = (open().await, open().await);
        match (change, read) {
            (Ok(Ok(change)), Ok(Ok(read))) => connections.push([change, read]),
            other => bail!("the sleeping pod's listener takes no connection: {other:?}"),
        }
    }
    Ok(connections)
}

pub(super) fn ask_again(connections: Vec<[Connection; 2]>, witnesses: &[Witness]) -> JoinSet<Asked> {
    let mut asked = JoinSet::new();
    for (witness, connections) in connections.into_iter().enumerate() {
        let requests = [witnesses[witness].forbidden_change(), witnesses[witness].read()];
        for (mut connection, (request, change)) in
            connections.into_iter().zip(requests.into_iter().zip([true, false]))
        {
            asked.spawn(async move {
                let answer = timeout(PATIENCE, connection.call(&request)).await;
                Asked { witness, change, answer: answer.ok().and_then(Result::ok) }
            });
        }
    }
    asked
}

/// Counts what the old epoch acknowledged, what it read that is not the last, and what it refused.
pub(super) async fn judge_answers(
    all: Vec<JoinSet<Asked>>,
    witnesses: &[Witness],
    verdict: &mut Verdict,
) -> anyhow::Result<(usize, usize, usize)> {
    let (mut acknowledged, mut stale, mut refused) = (0, 0, 0);
    for mut asked in all {
        while let Some(asked) = asked.join_next().await {
            let Asked { witness, change, answer } = asked?;
            let Some(answer) = answer.filter(|answer| answer.status < 300) else {
                refused += 1;
                continue;
            };
            let document: Value = serde_json::from_slice(&answer.body)?;
            let cart = &witnesses[witness].cart;
            if change {
                acknowledged += 1;
                verdict.violation("acknowledged_by_the_dead", format!("cart {cart}: {document}"));
            } else if document["version"].as_u64() < Some(witnesses[witness].version) {
                stale += 1;
                verdict.violation("stale_read", format!("cart {cart}: {document}"));
            }
        }
    }
    Ok((acknowledged, stale, refused))
}

/// Each has what was acknowledged, and nothing that only the old epoch was asked for.
pub(super) async fn check_witnesses(
    session: &Session,
    witnesses: &[Witness],
    verdict: &mut Verdict,
) -> anyhow::Result<usize> {
    let mut client = session.client();
    let mut made = 0;
    for Witness { cart, version, .. } in witnesses {
        let read = client.send(&Request::get(format!("/v1/carts/{cart}"))).await;
        let document = match read.outcome.done() {
            Ok(answer) => answer.body,
            Err(error) => {
                verdict.violation("witness", format!("cart {cart}, version {version}: {error:#}"));
                continue;
            }
        };
        let lines = lines_of(&document).context("a cart without lines")?;
        let units = |sku: &str| lines.get(sku).copied().unwrap_or(0);
        made += usize::from(units("CHAOS-3") > 0);
        if [units("CHAOS-1"), units("CHAOS-2"), units("CHAOS-3")] != [1, 1, 0]
            || document["version"].as_u64() != Some(*version)
        {
            verdict.violation("witness", format!("version {version} was acknowledged last: {document}"));
        }
    }
    Ok(made)
}

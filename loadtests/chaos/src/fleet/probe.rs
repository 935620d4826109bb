//! Carts in many shards, beside the load: is each of them served?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::json;
use smartcart_testkit::http::Request;
use tokio::task::JoinSet;

use crate::{
    client::{Client, Outcome, Timed},
    session::Session,
    shard::shard_of_cart,
};

const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct Probes {
    session: Arc<Session>,
    pub carts: Vec<Probe>,
}

#[derive(Debug, Clone)]
pub struct Probe {
    pub cart: String,
    pub shard: usize,
}

impl Probes {
    pub async fn create(session: &Arc<Session>, count: usize) -> anyhow::Result<Self> {
        let mut client = session.client();
        let mut carts = Vec::new();
        for _ in 0..count {
            carts.push(Probe::create(&mut client).await?);
        }
        Ok(Self { session: session.clone(), carts })
    }

    pub const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub fn client(&self) -> Client {
        self.session.client()
    }

    /// Changes every cart until each was changed once; how long after `since` the last of them was.
    pub async fn all_served(&self, since: Instant, limit: Duration) -> anyhow::Result<Duration> {
        let mut asking = JoinSet::new();
        for probe in &self.carts {
            let (mut client, request) = (self.session.client(), probe.change());
            asking.spawn(async move {
                loop {
                    let outcome = client.send(&request).await.outcome;
                    let after = since.elapsed();
                    match outcome {
                        Outcome::Acknowledged(_) => return Ok(after),
                        other if after > limit => bail!("{} after {after:?}: {other:?}", request.path),
                        _ => tokio::time::sleep(PAUSE).await,
                    }
                }
            });
        }
        let mut last = Duration::ZERO;
        while let Some(served) = asking.join_next().await {
            last = last.max(served.context("a probe")??);
        }
        Ok(last)
    }

    /// One change and one read of a cart, each sent once.
    pub async fn once(&self, client: &mut Client, number: usize) -> (Timed, Timed) {
        let probe = &self.carts[number % self.carts.len()];
        let change = client.send(&probe.change()).await;
        let read = client.send(&Request::get(format!("/v1/carts/{}", probe.cart))).await;
        (change, read)
    }
}

impl Probe {
    pub async fn create(client: &mut Client) -> anyhow::Result<Self> {
        let request = Request::post("/v1/carts", json!({ "currency": "USD" }));
        match client.send(&request).await.outcome {
            Outcome::Acknowledged(answer) => {
                let cart = answer.body["id"].as_str().context("a cart without an id")?.to_owned();
                Ok(Self { shard: shard_of_cart(&cart)?, cart })
            }
            other => bail!("a cart cannot be created: {other:?}"),
        }
    }

    /// Harmless when it comes twice.
    fn change(&self) -> Request {
        let path = format!("/v1/carts/{}/items/CHAOS-1", self.cart);
        Request::put(path, json!({ "quantity": 1 }))
    }
}

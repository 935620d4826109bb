//! Carts that guests create as fast as they can, so that flushes have many rows.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use smartcart_testkit::{
    http::{Connection, render},
    metrics::Metrics,
};
use tokio::task::JoinSet;

const CLIENTS: usize = 16;
/// After a cart was shed.
const PAUSE: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(200);

/// Clients at work.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    created: Arc<AtomicU64>,
    clients: JoinSet<()>,
}

impl Flood {
    pub fn start(address: SocketAddr) -> Self {
        let (stop, created, mut clients) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), JoinSet::new());
        for _ in 0..CLIENTS {
            clients.spawn(pour(address, stop.clone(), created.clone()));
        }
        Self { stop, created, clients }
    }

    /// How many carts it has created.
    pub async fn stop(mut self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client.context("a client of the flood")?;
        }
        Ok(self.created.load(Ordering::Relaxed))
    }
}

/// As lean as can be, so that there are many. A connection that breaks is opened again.
async fn pour(address: SocketAddr, stop: Arc<AtomicBool>, created: Arc<AtomicU64>) {
    let create = render("POST", "/v1/carts", &[], Some("{\"currency\":\"USD\"}"));
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        let mut open = match connection.take() {
            Some(open) => open,
            None => match Connection::open(address).await {
                Ok(open) => open,
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        match open.exchange(&create).await {
            Ok(head) if head.status == 201 => {
                created.fetch_add(1, Ordering::Relaxed);
                connection = Some(open);
            }
            // Shed, or refused for want of memory: there are others.
            Ok(_) => {
                tokio::time::sleep(PAUSE).await;
                connection = Some(open);
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// The most rows that a flush had, on average between two looks.
#[derive(Debug, Default)]
pub struct Largest(AtomicU64);

impl Largest {
    /// Until it cannot be seen any more.
    pub async fn watch(&self, ops: SocketAddr) -> anyhow::Error {
        let mut before = Metrics::default();
        loop {
            match Metrics::read(ops).await {
                Ok(now) => {
                    self.look(&now.since(&before));
                    before = now;
                }
                Err(error) => return error,
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::float_arithmetic,
        reason = "metrics are floats, and count rows"
    )]
    fn look(&self, since: &Metrics) {
        let flushes = since.get("smartcart_flush_duration_seconds_count");
        if flushes > 0.0 {
            let rows = since.get("smartcart_flush_rows_total") / flushes;
            self.0.fetch_max(rows as u64, Ordering::Relaxed);
        }
    }

    pub fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

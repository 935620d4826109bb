//! The load of `chaos`, over all pods: each request is sent once.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context;
use smartcart_testkit::{
    fleet::Fleet,
    random::{Fork as _, Rng},
};
use tokio::task::JoinSet;

use crate::{
    endpoints::Endpoints,
    history::History,
    load::{Mix, SHARED_CARTS, Worker},
    session::Session,
    setup,
};

#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub clients: u32,
    /// Requests a second of all of them together, as long as they are answered.
    pub rate: u32,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    session: Arc<Session>,
    clients: JoinSet<()>,
}

impl Load {
    pub async fn start(session: &Arc<Session>, pace: Pace, mix: Mix, rng: &Rng) -> Self {
        session.stop.store(false, Ordering::SeqCst);
        let mut first = Worker::new(session.clone(), rng.fork(u64::MAX), mix);
        for _ in 0..SHARED_CARTS {
            first.create_shared().await;
        }
        let each = Duration::from_secs(1) * pace.clients / pace.rate;
        let mut clients = JoinSet::new();
        for number in 0..pace.clients {
            let worker = Worker::new(session.clone(), rng.fork(number.into()), mix);
            clients.spawn(worker.run_paced(each));
        }
        Self { session: session.clone(), clients }
    }

    /// No new requests; those under way are waited for.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.session.stop.store(true, Ordering::SeqCst);
        while let Some(client) = self.clients.join_next().await {
            client.context("a client of the load")?;
        }
        Ok(())
    }
}

/// The session for a fleet's load, with the shop of `chaos` in it.
pub async fn open_shop(fleet: &Fleet) -> anyhow::Result<Arc<Session>> {
    let session = Arc::new(Session::new(Endpoints::new(&fleet.addresses()), &fleet.token));
    let mut history = History::default();
    setup::stock_the_shop(&mut session.client(), &mut history).await?;
    *session.history() = history;
    Ok(session)
}

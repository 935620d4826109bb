//! The load of `chaos`, over all pods: each request is sent once.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context;
use tokio::task::JoinSet;

use super::Fleet;
use crate::{
    chaos::{
        doors::Doors,
        load::{Mix, SHARED_CARTS, Stage, Worker},
        setup,
        world::World,
    },
    rng::Rng,
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
    stage: Arc<Stage>,
    clients: JoinSet<()>,
}

impl Load {
    pub async fn start(stage: &Arc<Stage>, pace: Pace, mix: Mix, rng: &Rng) -> Self {
        stage.stop.store(false, Ordering::SeqCst);
        let mut first = Worker::new(stage.clone(), rng.fork(u64::MAX), mix);
        for _ in 0..SHARED_CARTS {
            first.create_shared().await;
        }
        let each = Duration::from_secs(1) * pace.clients / pace.rate;
        let mut clients = JoinSet::new();
        for number in 0..pace.clients {
            let worker = Worker::new(stage.clone(), rng.fork(number.into()), mix);
            clients.spawn(worker.run_paced(each));
        }
        Self { stage: stage.clone(), clients }
    }

    /// No new requests; those under way are waited for.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stage.stop.store(true, Ordering::SeqCst);
        while let Some(client) = self.clients.join_next().await {
            client.context("a client of the load")?;
        }
        Ok(())
    }
}

/// The stage for a fleet's load, with the shop of `chaos` in it.
pub async fn open_shop(fleet: &Fleet) -> anyhow::Result<Arc<Stage>> {
    let stage = Arc::new(Stage::new(Doors::new(&fleet.addresses()), &fleet.token));
    let mut world = World::default();
    setup::stock_the_shop(&mut stage.client(), &mut world).await?;
    *stage.world() = world;
    Ok(stage)
}

//! The fleet's database fails over to a standby that lags: everything in it goes back in time, the registry too.
//!
//! What is promised here is weaker: what the standby did not have is lost, acknowledged or not, and every pod may have to
//! start again. What it had is there, and the shop goes on. Weaker than the promise: a pod does not yet find out by itself,
//! from its own heartbeat and its shards' epochs, that the registry went back. One that writes on moves its watermark past
//! entries that the tables have lost. So here whoever promotes the standby has stopped every pod before.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::RngExt as _;
use smartcart_testkit::random::{Fork as _, Rng};

use crate::{
    pod::{Pod, Roughness},
    scenario::shop,
    shopper::{Habits, Shopper},
    verify::{Loss, verify_losing},
    world::World,
};

const HABITS: Habits = Habits { steps: 4, checkouts: 4, holds: 1 };

pub(crate) async fn go_back(world: &Arc<World>, rough: Roughness, rng: &mut Rng) {
    let shopped = shop(world, HABITS, rng).await;
    let standby = world.database.checkpoint();
    // Other shoppers go on, and nobody knows what becomes of that.
    let others: Vec<_> = (0..3).map(|one| Shopper::new(world, rng.fork(200 + one)).wander()).collect();
    let promotion = async {
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..3_000))).await;
        let old = world.pods.lock().clone();
        for pod in &old {
            pod.kill();
        }
        world.database.rewind(&standby);
        for pod in &old {
            let next = Pod::join(world, &pod.name, rng, rough).await;
            world.put_in(next);
            world.take_out(pod);
        }
        let new = world.pods.lock().clone();
        join_all(new.iter().map(|pod| pod.engine.open())).await;
    };
    tokio::join!(join_all(others), promotion);
    verify_losing(world, &shopped, rng, Loss::AfterTheStandby).await;
}

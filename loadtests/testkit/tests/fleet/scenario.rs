use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::{RngExt as _, seq::IndexedRandom as _};
use smartcart_domain::{change::EntityKey, shard::ShardId};
use smartcart_testkit::random::{Fork as _, Rng, seeded};

use crate::{
    pod::{Pod, Roughness},
    shopper::{Habits, Shopper},
    verify::verify,
    world::{SKUS, World, sku},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Shards move, and now and then a pod leaves, while carts and stock change: no request fails.
    Handover,
    /// A pod is killed, or sleeps for a while; another takes its place.
    Failover,
    /// Both, while most shoppers check out and every port fails now and then.
    Checkout,
}

const SHOPPERS: u64 = 4;
/// Nobody rebalances within a run.
const NEVER: Duration = Duration::from_secs(3600);

impl Scenario {
    pub(crate) async fn run(self, seed: u64) {
        let mut rng = seeded(seed).fork(self as u64);
        let rebalance_after = if seed.is_multiple_of(16) { Duration::from_secs(2) } else { NEVER };
        let one_in = if self == Self::Checkout { 40 } else { 0 };
        let rough = Roughness { one_in, rebalance_after };
        let world = World::open(&mut rng, rough).await;
        let habits = match self {
            Self::Handover => Habits { steps: 8, checkouts: 2, holds: 2 },
            Self::Failover => Habits { steps: 8, checkouts: 1, holds: 2 },
            Self::Checkout => Habits { steps: 8, checkouts: 5, holds: 1 },
        };
        let shoppers: Vec<_> = (0..SHOPPERS).map(|one| Shopper::new(&world, rng.fork(100 + one))).collect();
        let mut shards: Vec<ShardId> = shoppers.iter().map(Shopper::shard).collect();
        shards.extend(SKUS.map(|name| EntityKey::Stock(sku(name)).shard()));
        let shopping = join_all(shoppers.into_iter().map(|shopper| shopper.shop(habits)));
        let trouble = async {
            match self {
                Self::Handover => {
                    move_shards(&world, &shards, &mut rng).await;
                    if seed % 16 == 1 {
                        a_pod_leaves(&world, &mut rng).await;
                    }
                }
                Self::Failover => a_pod_fails(&world, rough, &mut rng).await,
                Self::Checkout => {
                    move_shards(&world, &shards, &mut rng).await;
                    a_pod_fails(&world, rough, &mut rng).await;
                }
            }
        };
        let (shopped, ()) = tokio::join!(shopping, trouble);
        if self == Self::Handover {
            let failures: Vec<_> = shopped.iter().flat_map(|shopper| &shopper.failures).collect();
            assert!(failures.is_empty(), "no request fails in a planned handover: {failures:#?}");
        }
        verify(&world, &shopped, &mut rng).await;
    }
}

async fn move_shards(world: &World, shards: &[ShardId], rng: &mut Rng) {
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..300))).await;
        let shard = *shards.choose(rng).unwrap();
        let owner = world.owner(shard).await;
        let pods = world.pods.lock().clone();
        let (Some(from), Some(to)) =
            (pods.iter().find(|pod| Some(pod.incarnation()) == owner), pods.choose(rng))
        else {
            continue;
        };
        // It may be busy, or have moved meanwhile: then it stays.
        let _stays = from.engine.move_shard(shard, &to.name).await;
    }
}

async fn a_pod_leaves(world: &World, rng: &mut Rng) {
    let pod = world.any_pod(rng);
    world.take_out(&pod);
    pod.engine.leave().await;
    // What the weather leaves undone, others finish.
    let _left = pod.engine.stop().await;
}

async fn a_pod_fails(world: &Arc<World>, rough: Roughness, rng: &mut Rng) {
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..1_500))).await;
    let victim = world.any_pod(rng);
    match rng.random_range(0..3) {
        0 => victim.kill(world),
        // Long enough to be declared dead, or not.
        1 => sleeps(&victim, Duration::from_millis(rng.random_range(500..9_000))).await,
        _ => {
            victim.kill(world);
            tokio::time::sleep(Duration::from_millis(rng.random_range(100..3_000))).await;
            let next = Pod::join(world, &victim.name, rng, rough).await;
            next.engine.open().await;
            world.put_in(next);
        }
    }
    if !victim.is_alive() {
        world.take_out(&victim);
    }
}

async fn sleeps(pod: &Pod, time: Duration) {
    pod.pause();
    tokio::time::sleep(time).await;
    pod.resume();
    // It finds out what has become of it.
    tokio::time::sleep(Duration::from_secs(3)).await;
}

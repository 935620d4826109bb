use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::{RngExt as _, seq::IndexedRandom as _};
use smartcart_domain::{change::EntityKey, shard::ShardId};
use smartcart_testkit::{
    memory::JournalFault,
    random::{Fork as _, Rng, seeded},
};

use crate::{
    bugs::Planted,
    pod::{Pod, Roughness},
    shopper::{Habits, Shopper},
    standby,
    verify::verify,
    world::{SKUS, World, sku},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Shards move, and now and then a pod leaves, while carts and stock change: no request fails, unless its own ports do.
    Handover,
    /// A pod is killed, or sleeps for a while, or its journal is sealed or breaks; another takes its place.
    Failover,
    /// A pod does not reach the registry. It goes on until it is declared dead, because its journal says that it may.
    Partition,
    /// Shards move and a pod fails, while most shoppers check out.
    Checkout,
    /// The database goes back in time.
    Standby,
}

const SHOPPERS: u64 = 4;
/// Calls of which one fails.
const ROUGH: [u32; 4] = [10, 15, 20, 40];

impl Scenario {
    /// How rough a seed's run is, and whether every request must succeed at its first try.
    fn weather(self, seed: u64) -> (Roughness, bool) {
        let rebalance_after =
            if seed.is_multiple_of(16) { Duration::from_secs(2) } else { Roughness::CALM.rebalance_after };
        // A registry that fails is no reason to fail a request.
        let registry_alone = self == Self::Handover && seed % 4 < 2;
        let calm = self == Self::Handover && seed.is_multiple_of(4);
        let one_in = if calm { 0 } else { ROUGH[usize::try_from(seed / 4 % 4).unwrap()] };
        let rough = Roughness {
            one_in,
            registry_alone,
            placed: self == Self::Partition || seed % 8 > 3,
            rebalance_after,
        };
        (rough, registry_alone)
    }

    /// Returns how many faults there were.
    pub(crate) async fn run(self, seed: u64, bug: Option<Planted>) -> u64 {
        let mut rng = seeded(seed).fork(self as u64);
        let (rough, strict) = self.weather(seed);
        let world = World::open(&mut rng, rough).await;
        if let Some((bug, one_in)) = bug {
            world.database.plant(bug, one_in);
            world.network.plant(bug, one_in);
        }
        if self == Self::Standby {
            standby::go_back(&world, rough, &mut rng).await;
        } else {
            self.shop_in_trouble(&world, rough, strict, seed, &mut rng).await;
        }
        world.struck()
    }

    async fn shop_in_trouble(
        self,
        world: &Arc<World>,
        rough: Roughness,
        strict: bool,
        seed: u64,
        rng: &mut Rng,
    ) {
        let habits = match self {
            Self::Handover => Habits { steps: 8, checkouts: 2, holds: 2 },
            Self::Failover => Habits { steps: 8, checkouts: 1, holds: 2 },
            // It takes more than five seconds.
            Self::Partition => Habits { steps: 28, checkouts: 1, holds: 1 },
            Self::Checkout | Self::Standby => Habits { steps: 8, checkouts: 5, holds: 1 },
        };
        let shoppers = shoppers(world, rng);
        let mut shards: Vec<ShardId> = shoppers.iter().map(Shopper::shard).collect();
        shards.extend(SKUS.map(|name| EntityKey::Stock(sku(name)).shard()));
        let shopping = join_all(shoppers.into_iter().map(|shopper| shopper.shop(habits)));
        let trouble = async {
            if matches!(self, Self::Handover | Self::Checkout) {
                move_shards(world, &shards, rng).await;
            }
            match self {
                Self::Handover if seed % 16 == 1 => a_pod_leaves(world, rng).await,
                Self::Handover => {}
                Self::Partition => a_pod_loses_the_registry(world, rng).await,
                Self::Failover | Self::Checkout | Self::Standby => a_pod_fails(world, rough, rng).await,
            }
        };
        let (shopped, ()) = tokio::join!(shopping, trouble);
        if strict {
            let failures: Vec<_> = shopped.iter().flat_map(|shopper| &shopper.failures).collect();
            assert!(failures.is_empty(), "no request fails in a planned handover: {failures:#?}");
        }
        verify(world, &shopped, rng).await;
    }
}

fn shoppers(world: &Arc<World>, rng: &Rng) -> Vec<Shopper> {
    (0..SHOPPERS).map(|one| Shopper::new(world, rng.fork(100 + one))).collect()
}

/// Nothing but the weather befalls the pods.
pub(crate) async fn shop(world: &Arc<World>, habits: Habits, rng: &Rng) -> Vec<Shopper> {
    join_all(shoppers(world, rng).into_iter().map(|shopper| shopper.shop(habits))).await
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
    pod.kill();
}

async fn a_pod_fails(world: &Arc<World>, rough: Roughness, rng: &mut Rng) {
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..1_500))).await;
    let victim = world.any_pod(rng);
    match rng.random_range(0..5) {
        0 | 1 => victim.kill(),
        // Long enough to be declared dead, or not.
        2 => sleeps(&victim, Duration::from_millis(rng.random_range(500..9_000))).await,
        3 => breaks(&victim, JournalFault::Seal).await,
        _ => breaks(&victim, JournalFault::Break).await,
    }
    if victim.is_alive() {
        return;
    }
    if rng.random() {
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..3_000))).await;
        let next = Pod::join(world, &victim.name, rng, rough).await;
        next.engine.open().await;
        world.put_in(next);
    }
    world.take_out(&victim);
}

async fn a_pod_loses_the_registry(world: &World, rng: &mut Rng) {
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..500))).await;
    let victim = world.any_pod(rng);
    victim.lose_registry();
    tokio::time::sleep(Duration::from_millis(rng.random_range(4_000..12_000))).await;
    victim.resume();
    finds_out(&victim).await;
    if !victim.is_alive() {
        world.take_out(&victim);
    }
}

async fn sleeps(pod: &Pod, time: Duration) {
    pod.pause();
    tokio::time::sleep(time).await;
    pod.resume();
    finds_out(pod).await;
}

/// What has become of it meanwhile.
async fn finds_out(pod: &Pod) {
    let _lives = tokio::time::timeout(Duration::from_secs(3), pod.engine.failed()).await;
}

/// Its journal takes nothing any more: the pod finds out at its next append, and exits.
async fn breaks(pod: &Pod, fault: JournalFault) {
    pod.hurt_journal(fault);
    if tokio::time::timeout(Duration::from_secs(5), pod.engine.failed()).await.is_err() {
        // Nobody has asked it to append.
        pod.calm();
    }
}

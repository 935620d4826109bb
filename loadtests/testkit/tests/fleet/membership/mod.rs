//! What a member does when the registry, the tables, its journal or the other pods fail it, call by call.

mod failover;
mod handover;
mod heartbeat;
mod rebalancer;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use smartcart_domain::{
    cart::CartCommand,
    change::EntityKey,
    id::{CartId, IncarnationId, Sku},
    idempotency::Caller,
    inventory::StockCommand,
    limits::SHARDS,
    request::Request,
    shard::ShardId,
};
use smartcart_engine::registry::{Epoch, Registry as _, ShardRow};
use smartcart_testkit::{
    memory::MemoryRegistry,
    random::{Fork as _, seeded},
};
use tokio::time::Instant;

use crate::{
    pod::{Pod, Roughness},
    world::World,
};

const REBALANCE_DELAY: Duration = Duration::from_secs(2);
const SUSPICION_TIMEOUT: Duration = Duration::from_secs(5);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A pod that has joined, but not opened: it sends no heartbeat yet.
async fn joined(world: &World, name: &str) -> Arc<Pod> {
    let seed = name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
    let rough = Roughness { rebalance_after: REBALANCE_DELAY, ..Roughness::CALM };
    Pod::join(world, name, &mut seeded(seed).fork(seed), rough).await
}

async fn opened(world: &World, name: &str) -> Arc<Pod> {
    let pod = joined(world, name).await;
    pod.engine.open().await;
    pod
}

/// Pods that have settled: each owns what it should.
async fn settled(world: &World, names: &[&str]) -> Vec<Arc<Pod>> {
    let mut pods = Vec::new();
    for name in names {
        pods.push(opened(world, name).await);
    }
    let share = usize::from(SHARDS) / names.len() / 2;
    for pod in &pods {
        eventually("each pod has its share", seconds(30), async || owned(world, pod).await.len() > share)
            .await;
    }
    tokio::time::sleep(seconds(10)).await;
    pods
}

async fn rows(world: &World) -> Vec<ShardRow> {
    MemoryRegistry::new(&world.database).shards().await.unwrap()
}

async fn owned(world: &World, pod: &Pod) -> Vec<ShardId> {
    let rows = rows(world).await;
    rows.iter().filter(|row| row.owner == Some(pod.incarnation())).map(|row| row.shard).collect()
}

async fn owners(world: &World) -> BTreeSet<Option<IncarnationId>> {
    rows(world).await.iter().map(|row| row.owner).collect()
}

/// Whether all shards are owned by these pods, and by each of them some.
async fn belongs_to(world: &World, pods: &[&Arc<Pod>]) -> bool {
    owners(world).await == pods.iter().map(|pod| Some(pod.incarnation())).collect()
}

async fn epochs(world: &World) -> BTreeSet<Epoch> {
    rows(world).await.iter().map(|row| row.epoch).collect()
}

async fn eventually(what: &str, within: Duration, is_so: impl AsyncFn() -> bool) {
    let until = Instant::now() + within;
    while !is_so().await {
        assert!(Instant::now() < until, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sets a SKU's stock, by which it gets into the journal of the pod that owns it.
async fn stock(pod: &Pod, sku: &str, on_hand: i64) {
    let command = StockCommand::SetOnHand { on_hand };
    let request = Request { command, caller: Caller::Service, key: None, expected: None, fresh: false };
    pod.engine.inventory().ask(&sku.parse::<Sku>().unwrap(), request).await.unwrap();
}

async fn create_cart(pod: &Pod, cart: CartId) {
    let command = CartCommand::Create { currency: "GBP".parse().unwrap(), owner: None, metadata: None };
    let request = Request { command, caller: Caller::Guest, key: None, expected: None, fresh: true };
    pod.engine.carts().ask(&cart, request).await.unwrap();
}

/// Ids of carts in a shard.
fn carts_of(shard: ShardId) -> impl Iterator<Item = CartId> {
    (1..).map(CartId).filter(move |cart| EntityKey::Cart(*cart).shard() == shard)
}

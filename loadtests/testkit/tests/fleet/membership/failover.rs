use std::sync::Arc;

use smartcart_domain::{change::EntityKey, id::Sku};
use smartcart_engine::registry::{Epoch, Registry as _};
use smartcart_testkit::{
    memory::{MemoryRegistry, RegistryCall, RegistryFault, Weather},
    random::seeded,
};

use super::{belongs_to, epochs, eventually, opened, owned, owners, rows, seconds, settled, stock};
use crate::{pod::Pod, world::World};

/// A pod with so many entries in its journal that are not in the tables, and dead.
async fn dies_with_backlog(victim: &Arc<Pod>, entries: i64) {
    // In memory, so that it needs the tables no more.
    stock(victim, "mug", 0).await;
    victim.store.faults().hold();
    for on_hand in 1..=entries {
        stock(victim, "mug", on_hand).await;
    }
    victim.kill();
}

async fn on_hand(pod: &Pod) -> i64 {
    let sku: Sku = "mug".parse().unwrap();
    pod.engine.inventory().read(&sku).await.unwrap().unwrap().view().on_hand
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_takeover_may_fail_or_hang_and_it_is_done_once() {
    use RegistryFault::{Hang, LoseAnswer, Unreachable};
    for call in
        [RegistryCall::DeclareDead, RegistryCall::TakeOver, RegistryCall::Shards, RegistryCall::Finish]
    {
        for faults in [vec![LoseAnswer], vec![Unreachable, LoseAnswer], vec![Hang], vec![Hang, LoseAnswer]] {
            let world = World::empty();
            let victim = opened(&world, "a").await;
            dies_with_backlog(&victim, 20).await;
            let pods = [super::joined(&world, "b").await, super::joined(&world, "c").await];
            for pod in &pods {
                pod.registry.inject_into(call, faults.clone());
            }
            tokio::join!(pods[0].engine.open(), pods[1].engine.open());
            let context = format!("{call:?}, {faults:?}");
            eventually(&context, seconds(120), async || belongs_to(&world, &[&pods[0], &pods[1]]).await)
                .await;
            assert_eq!(epochs(&world).await, [Epoch(2)].into(), "{context}: each shard was reassigned once");
            assert_eq!(on_hand(&pods[0]).await, 20, "{context}");
            assert!(pods.iter().all(|pod| pod.is_alive()), "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_backlog_is_finished_in_one_go() {
    let world = World::empty();
    let victim = opened(&world, "a").await;
    dies_with_backlog(&victim, 3_000).await;
    let heir = super::joined(&world, "b").await;
    // Each call of the journal takes nearly as long as a takeover may stand still.
    let (delay, faults) = (27_000_000..28_000_000, Vec::new());
    heir.journal.faults().set_weather(Weather { rng: seeded(1), delay, faults, one_in: 0 });
    let began = tokio::time::Instant::now();
    heir.engine.open().await;
    eventually("it has everything", seconds(3_000), async || belongs_to(&world, &[&heir]).await).await;
    assert!(began.elapsed() > seconds(660), "longer than any bound on the whole: {:?}", began.elapsed());
    assert_eq!(heir.registry.calls(RegistryCall::Finish), 1);
    assert_eq!(on_hand(&heir).await, 3_000);
}

#[tokio::test(start_paused = true)]
async fn who_gets_stuck_in_a_takeover_makes_way_for_another() {
    let world = World::empty();
    let victim = opened(&world, "a").await;
    dies_with_backlog(&victim, 20).await;
    let [stuck, other] = [super::joined(&world, "b").await, super::joined(&world, "c").await];
    stuck.journal.faults().hold();
    // Its turn comes second.
    other.registry.inject_into(RegistryCall::TakeOver, [RegistryFault::Unreachable; 2]);
    tokio::join!(stuck.engine.open(), other.engine.open());
    eventually("it is done", seconds(300), async || belongs_to(&world, &[&stuck, &other]).await).await;
    assert!(stuck.registry.calls(RegistryCall::TakeOver) > 0);
    assert_eq!(other.registry.calls(RegistryCall::Finish), 1);
    assert_eq!(on_hand(&other).await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_fence_in_the_middle_of_a_takeover_ends_it_and_another_goes_on() {
    let world = World::empty();
    let victim = opened(&world, "a").await;
    dies_with_backlog(&victim, 20).await;
    let fenced = super::joined(&world, "b").await;
    fenced.journal.faults().hold();
    let opening = fenced.engine.clone();
    tokio::spawn(async move { opening.open().await });
    eventually("it is at it", seconds(30), async || fenced.registry.calls(RegistryCall::TakeOver) > 0).await;
    let other = super::joined(&world, "c").await;
    let registry = MemoryRegistry::new(&world.database);
    assert!(registry.declare_dead(other.incarnation(), fenced.incarnation()).await.unwrap());
    fenced.engine.failed().await;
    other.engine.open().await;
    eventually("the other has everything", seconds(60), async || belongs_to(&world, &[&other]).await).await;
    fenced.journal.faults().restore();
    tokio::time::sleep(seconds(60)).await;
    assert!(belongs_to(&world, &[&other]).await, "what was fenced changes nothing later");
    assert_eq!(on_hand(&other).await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_silent_for_a_moment_is_not_declared_dead_and_one_that_is_for_long_is() {
    let world = World::empty();
    let pods = settled(&world, &["a", "b"]).await;
    let before = owned(&world, &pods[0]).await;
    pods[0].registry.faults().hold();
    tokio::time::sleep(seconds(4)).await;
    pods[0].registry.faults().restore();
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(owned(&world, &pods[0]).await, before);

    pods[0].kill();
    let shard = EntityKey::Stock("mug".parse().unwrap()).shard();
    eventually("it is taken over", seconds(30), async || belongs_to(&world, &[&pods[1]]).await).await;
    assert!(rows(&world).await[usize::from(shard.0)].owner == Some(pods[1].incarnation()));
    assert_eq!(owners(&world).await.len(), 1);
}
